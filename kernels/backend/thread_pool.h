// The threads of the Cpu backend: one parallel loop at a time over independent items.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "kernels/backend/cache_line.h"

namespace sparsepush {

/// `threads` workers, the calling thread included. Items are handed out dynamically, so nothing may depend on which
/// worker runs which item; an exception of an item is rethrown by `run` after all workers have stopped.
class ThreadPool {
 public:
  /// Throws std::runtime_error if the system has no more threads.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  /// Calls body(item, worker) once for every item in [0, items), 0 <= worker < threads(). Not reentrant.
  template <class Body>
  void run(std::int64_t items, const Body& body) {
    run_loop(items, {&body, [](const void* of_loop, std::int64_t item, int worker) {
                       (*static_cast<const Body*>(of_loop))(item, worker);
                     }});
  }

  /// Returns memory for the item that `worker` runs, aligned to a cache line. Anything may stand in it; it is the
  /// worker's until it asks again, and stays allocated for the items and loops that come.
  template <class T>
  std::span<T> scratch(int worker, std::int64_t count) {
    return {reinterpret_cast<T*>(scratch_lines(worker, count * sizeof(T))), static_cast<std::size_t>(count)};
  }

 private:
  /// A body of any type and how it is called: the caller keeps the body, so that no loop allocates.
  struct Loop {
    const void* body = nullptr;
    void (*call)(const void* body, std::int64_t item, int worker) = nullptr;
  };

  void run_loop(std::int64_t items, Loop loop);

  CacheLine* scratch_lines(int worker, std::size_t bytes);

  void work(int worker);
  void stop_workers();
  void take_items(int worker);

  std::vector<std::thread> workers_;
  std::vector<std::vector<CacheLine>> scratch_;  ///< [threads]
  std::mutex mutex_;
  std::condition_variable start_, finished_;
  Loop loop_;
  std::int64_t items_ = 0;
  std::atomic<std::int64_t> next_{0};
  std::atomic<std::uint64_t> generation_{0};  ///< loops started so far
  std::atomic<int> busy_{0};                  ///< workers still inside the current loop
  bool stop_ = false;
  std::exception_ptr error_;
};

}  // namespace sparsepush
