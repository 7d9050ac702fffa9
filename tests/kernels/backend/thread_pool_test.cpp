#include "kernels/backend/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

namespace sparsepush {
namespace {

TEST(ThreadPool, RunsEveryItemOnce) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (int items : {0, 1, 2, 31, 1000}) {
      std::vector<int> runs(items, 0);
      pool.run(items, [&](std::int64_t item, int worker) {
        ASSERT_LT(worker, threads);
        ++runs[item];
      });
      EXPECT_EQ(runs, std::vector<int>(items, 1)) << threads << " threads";
    }
  }
}

/// A body that no loop may copy, as a std::function would.
struct Counter {
  explicit Counter(int items) : runs(items) {}
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;
  void operator()(std::int64_t item, int) const { ++runs[item]; }
  mutable std::vector<int> runs;
};

TEST(ThreadPool, CallsTheBodyWhereItIs) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    const Counter counter(50);
    pool.run(50, counter);
    EXPECT_EQ(counter.runs, std::vector<int>(50, 1)) << threads << " threads";
  }
}

TEST(ThreadPool, RethrowsAnItemsExceptionAndGoesOn) {
  ThreadPool pool(3);
  const auto fail_at_5 = [](std::int64_t item, int) {
    if (item == 5) throw std::runtime_error("item 5");
  };
  EXPECT_THROW(pool.run(100, fail_at_5), std::runtime_error);
  std::atomic<int> runs = 0;
  pool.run(100, [&](std::int64_t, int) { ++runs; });
  EXPECT_EQ(runs, 100);
}

TEST(ThreadPool, KeepsMemoryForEveryWorker) {
  ThreadPool pool(2);
  const std::span<float> first = pool.scratch<float>(0, 100), other = pool.scratch<float>(1, 100);
  EXPECT_EQ(first.size(), 100u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first.data()) % 64, 0u);
  EXPECT_TRUE(other.data() >= first.data() + 100 || other.data() + 100 <= first.data());
  first.front() = 7;
  EXPECT_EQ(pool.scratch<float>(0, 90).data(), first.data()) << "and less fits";
  EXPECT_EQ(first.front(), 7);
  const std::span<float> longer = pool.scratch<float>(0, 1000);
  std::ranges::fill(longer, 1.0f);
  EXPECT_EQ(longer.size(), 1000u);
}

TEST(ThreadPool, RefusesZeroThreads) { EXPECT_THROW(ThreadPool(0), std::invalid_argument); }

}  // namespace
}  // namespace sparsepush
