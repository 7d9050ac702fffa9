#include "kernels/backend/thread_pool.h"

#include <stdexcept>
#include <string>

#include "kernels/backend/check.h"

namespace sparsepush {
namespace {
constexpr int kSpins = 2000;  // a few microseconds: the gap between two ops of a step, shorter than a wake-up
}

ThreadPool::ThreadPool(int threads) {
  CHECK(threads >= 1, "threads = ", threads);
  scratch_.resize(threads);
  try {
    for (int worker = 1; worker < threads; ++worker) workers_.emplace_back([this, worker] { work(worker); });
  } catch (const std::exception& error) {
    stop_workers();
    throw std::runtime_error("cannot start " + std::to_string(threads) + " threads: " + error.what());
  }
}

ThreadPool::~ThreadPool() { stop_workers(); }

void ThreadPool::stop_workers() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    ++generation_;
  }
  start_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::run_loop(std::int64_t items, Loop loop) {
  if (workers_.empty() || items <= 1) {
    for (std::int64_t item = 0; item < items; ++item) loop.call(loop.body, item, 0);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    loop_ = loop;
    items_ = items;
    next_ = 0;
    error_ = nullptr;
    busy_ = static_cast<int>(workers_.size());
    ++generation_;
  }
  start_.notify_all();
  take_items(0);
  for (int spin = 0; spin < kSpins && busy_ > 0; ++spin) std::this_thread::yield();
  std::unique_lock lock(mutex_);
  finished_.wait(lock, [this] { return busy_ == 0; });
  if (error_) std::rethrow_exception(error_);
}

CacheLine* ThreadPool::scratch_lines(int worker, std::size_t bytes) {
  std::vector<CacheLine>& lines = scratch_[worker];
  const std::size_t wanted = (bytes + sizeof(CacheLine) - 1) / sizeof(CacheLine);
  if (lines.size() < wanted) lines = std::vector<CacheLine>(wanted);
  return lines.data();
}

void ThreadPool::take_items(int worker) {
  try {
    for (std::int64_t item; (item = next_++) < items_;) loop_.call(loop_.body, item, worker);
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::current_exception();
    next_ = items_;
  }
}

void ThreadPool::work(int worker) {
  std::uint64_t seen = 0;
  for (;;) {
    for (int spin = 0; spin < kSpins && generation_ == seen; ++spin) std::this_thread::yield();
    {
      std::unique_lock lock(mutex_);
      start_.wait(lock, [&] { return generation_ != seen; });
      seen = generation_;
      if (stop_) return;
    }
    take_items(worker);
    const std::lock_guard lock(mutex_);
    if (--busy_ == 0) finished_.notify_one();
  }
}

}  // namespace sparsepush
