#include "kernels/messages/topk/running_topk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "kernels/backend/float_bits.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

std::vector<float> normal_values(std::int64_t size, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(size);
  for (float& v : values) v = normal(generator);
  return values;
}

/// The elements as they stand in `row`.
auto from(const std::vector<float>& row) {
  return [p = row.data()](std::int64_t begin, std::int64_t count, float* out) __attribute__((always_inline)) {
    std::copy_n(p + begin, count, out);
  };
}

TEST(Collect, FindsWhatReachesTheThresholdOnEveryLevel) {
  for (const std::int64_t size : {1, 15, 16, 17, 63, 64, 65, 1023, 1024}) {
    std::vector<float> row = normal_values(size + 5, static_cast<unsigned>(size));
    row[5 + size / 2] = std::numeric_limits<float>::quiet_NaN();
    row[5 + size / 3] = -std::numeric_limits<float>::infinity();
    row[5 + size / 4] = std::numeric_limits<float>::denorm_min();
    for (const float limit : {0.0f, 0.5f, 1.5f, 3.0f, std::numeric_limits<float>::infinity()}) {
      std::vector<std::int32_t> wanted;
      std::uint32_t largest = 0;
      for (std::int64_t i = 5; i < size + 5; ++i) {
        if (!(std::fabs(row[i]) < limit)) wanted.push_back(static_cast<std::int32_t>(i));
        largest = std::max(largest, std::bit_cast<std::uint32_t>(std::fabs(row[i])));
      }
      for (const VectorLevel level : tested_vector_levels()) {
        std::vector<std::int32_t> position(size + kCollectSlack);
        const CollectCount count =
            collect({5, 5 + size}, std::bit_cast<std::uint32_t>(limit), position.data(), from(row), level);
        position.resize(count.collected);
        EXPECT_EQ(position, wanted) << size << " elements, limit " << limit;
        EXPECT_EQ(count.largest, largest);
      }
    }
  }
}

TEST(Collect, AsksForEveryElementOnceAndInOrder) {
  for (const VectorLevel level : tested_vector_levels()) {
    std::int64_t next = 3;
    std::vector<std::int32_t> position(200 + kCollectSlack);
    collect(
        {3, 180}, 0, position.data(),
        [&next](std::int64_t begin, std::int64_t count, float* out) __attribute__((always_inline)) {
          EXPECT_EQ(begin, next);
          next += count;
          std::fill_n(out, count, 1.0f);
        },
        level);
    EXPECT_EQ(next, 180);
  }
}

TEST(Compact, KeepsTheSamePositionsOnEveryLevel) {
  std::mt19937 generator(7);
  for (const std::int64_t size : {0, 1, 15, 16, 17, 33, 500}) {
    std::vector<std::uint32_t> key(size + kCollectSlack, 9);  // what is beyond does not count
    std::vector<std::int32_t> all(size + kCollectSlack), wanted;
    for (std::int64_t i = 0; i < size; ++i) {
      key[i] = generator() % 10;
      all[i] = static_cast<std::int32_t>(3 * i);
      if (key[i] >= 6) wanted.push_back(all[i]);
    }
    for (const VectorLevel level : tested_vector_levels()) {
      std::vector<std::int32_t> position = all;
      position.resize(compact(position.data(), key.data(), size, 6, level));
      if (position.empty() && wanted.empty()) continue;
      EXPECT_EQ(position, wanted) << size;
    }
  }
}

TEST(KthLargest, SeparatesTheLargestKeys) {
  std::mt19937 generator(3);
  for (const int size : {1, 2, 16, 17, 100, 1000}) {
    for (const std::uint32_t distinct : {1u, 2u, 10u, 0x7f800002u}) {
      std::vector<std::uint32_t> keys(size);
      for (std::uint32_t& key : keys) key = generator() % distinct;
      std::vector<std::uint32_t> sorted = keys;
      std::sort(sorted.begin(), sorted.end(), std::greater<>());
      for (const int k : {1, 2, size / 2, size - 1, size}) {
        if (k < 1 || k > size) continue;
        for (const VectorLevel level : tested_vector_levels()) {
          const KthLargest found = kth_largest(keys, k, level);
          const auto reach = std::count_if(keys.begin(), keys.end(), [&](auto key) { return key >= found.threshold; });
          EXPECT_EQ(found.at_least, reach);
          EXPECT_EQ(found.at_least,
                    std::count_if(keys.begin(), keys.end(), [&](auto key) { return key >= sorted[k - 1]; }))
              << k << " of " << size;
          EXPECT_LE(found.threshold, sorted[k - 1]);
        }
      }
    }
  }
}

TEST(RunningTopk, SaysWhenTooFewReachTheThreshold) {
  const std::vector<float> row = {1, 5, -3, 2};
  RunningTopk topk(2, 4, tested_vector_level());
  topk.start(row.data(), 2, magnitude_key(4.0f));
  topk.add(0, 4, from(row));
  EXPECT_FALSE(topk.finish());
  EXPECT_EQ(topk.largest(), magnitude_key(5.0f));
  topk.start(row.data(), 2, magnitude_key(3.0f));
  topk.add(0, 4, from(row));
  ASSERT_TRUE(topk.finish());
  EXPECT_EQ(std::vector<std::int32_t>(topk.positions().begin(), topk.positions().end()),
            (std::vector<std::int32_t>{1, 2}));
}

TEST(RunningTopk, StaysExactWhenItCutsAgainAndAgain) {
  constexpr std::int64_t kSize = 100000;
  std::vector<float> row(kSize);
  for (std::int64_t i = 0; i < kSize; ++i) row[i] = static_cast<float>(i / 7);  // ascending: everything is collected
  for (const std::int64_t entries : {1, 10, 3000}) {
    RunningTopk topk(entries, kSize, tested_vector_level());
    topk.start(row.data(), entries, 0);
    topk.add(0, kSize, from(row));
    ASSERT_TRUE(topk.finish());
    std::vector<std::int32_t> wanted(kSize);
    for (std::int64_t i = 0; i < kSize; ++i) wanted[i] = static_cast<std::int32_t>(i);
    std::stable_sort(wanted.begin(), wanted.end(), [&](int a, int b) { return row[a] > row[b]; });
    wanted.resize(entries);
    std::sort(wanted.begin(), wanted.end());
    EXPECT_EQ(std::vector<std::int32_t>(topk.positions().begin(), topk.positions().end()), wanted) << entries;
  }
}

TEST(RunningTopk, StaysExactWhereACutLeavesOnlyZeros) {
  std::vector<float> row(20000, 0.0f);
  row[17000] = -1;
  RunningTopk topk(3, 20000, tested_vector_level());
  topk.start(row.data(), 3, 0);
  topk.add(0, 20000, from(row));
  ASSERT_TRUE(topk.finish());
  EXPECT_EQ(std::vector<std::int32_t>(topk.positions().begin(), topk.positions().end()),
            (std::vector<std::int32_t>{0, 1, 17000}));
}

}  // namespace
}  // namespace sparsepush
