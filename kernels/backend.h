// The places where an op can run. An op is one overload per backend; the backend is its first argument.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/thread_pool.h"

namespace sparsepush {

/// Host memory and a pool of threads. One thread of control at a time may run ops on it.
class Cpu {
 public:
  /// `threads` = 0: one per processor of this machine.
  explicit Cpu(int threads = 0);

  int threads() const { return pool_->threads(); }
  ThreadPool& pool() const { return *pool_; }

 private:
  std::unique_ptr<ThreadPool> pool_;
};

/// 64-byte aligned and zeroed. Throws std::bad_alloc.
void* allocate(const Cpu&, std::size_t bytes);
void release(const Cpu&, void* p) noexcept;
void copy(const Cpu&, void* to, const void* from, std::size_t bytes);
/// Sets `bytes` bytes to 0.
void clear(const Cpu&, void* p, std::size_t bytes);

}  // namespace sparsepush
