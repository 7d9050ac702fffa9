// The places where an op can run. An op is one overload per backend; the backend is its first argument.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "kernels/backend/thread_pool.h"
#include "kernels/backend/vector_level.h"

namespace sparsepush {

/// Host memory, a pool of threads and the vectors that their loops use. One thread of control at a time may run ops on
/// it.
class Cpu {
 public:
  /// Starts the threads; `threads` = 0: one per processor that the process may use. Throws std::invalid_argument if the
  /// processor lacks `level`.
  explicit Cpu(int threads = 0, VectorLevel level = best_vector_level());

  int threads() const { return pool_->threads(); }
  VectorLevel vector_level() const { return vector_level_; }
  ThreadPool& pool() const { return *pool_; }
  void synchronize() const {}

  /// Steps after which an emulator looks whether nodes have diverged.
  static constexpr int kStepsBetweenLooks = 1;

 private:
  VectorLevel vector_level_;
  std::unique_ptr<ThreadPool> pool_;
};

/// One CUDA GPU, the stream on which all ops of it are ordered, and one for uploads that go on beside them. A program
/// that is built without CUDA links kernels/without_cuda.cpp instead, where no GPU is available.
class Cuda {
 public:
  /// Returns how many GPUs this machine has that its driver knows.
  static int count();
  static bool is_available() { return count() > 0; }
  /// Returns whether this program could use a GPU.
  static bool is_built_in();
  /// Names the GPU, such as "NVIDIA H100 80GB HBM3".
  std::string name() const;
  /// Returns how many bytes of its memory are not in use.
  std::int64_t free_bytes() const;

  /// Takes a GPU, the first one is 0, for this thread. Throws std::runtime_error, which names it, if it does not work.
  explicit Cuda(int device = 0);
  ~Cuda();
  Cuda(const Cuda&) = delete;
  Cuda& operator=(const Cuda&) = delete;

  void* stream() const { return stream_; }                ///< a cudaStream_t
  void* upload_stream() const { return upload_stream_; }  ///< another
  int multiprocessors() const { return multiprocessors_; }
  /// Returns how many bytes of shared memory a block may have.
  std::int64_t most_shared_bytes() const { return most_shared_bytes_; }
  /// Returns when all work on the ops' stream is done.
  void synchronize() const;

  /// A look waits for the GPU, which would otherwise have its next steps at hand.
  static constexpr int kStepsBetweenLooks = 16;

 private:
  void *stream_ = nullptr, *upload_stream_ = nullptr;
  int device_ = 0, multiprocessors_ = 0, most_shared_bytes_ = 0;
};

/// Allocates memory of the backend, 64-byte aligned at least, and zeroed. Throws std::bad_alloc.
void* allocate(const Cpu&, std::size_t bytes);
void* allocate(const Cuda& gpu, std::size_t bytes);
/// Frees what `allocate` returned.
void release(const Cpu&, void* p) noexcept;
void release(const Cuda& gpu, void* p) noexcept;
/// Copies between memory of the host and of the backend, either way, or within the latter. Has happened on return.
void copy(const Cpu&, void* to, const void* from, std::size_t bytes);
void copy(const Cuda& gpu, void* to, const void* from, std::size_t bytes);
/// Copies within the backend's memory, ordered among its ops.
void copy_within(const Cpu&, void* to, const void* from, std::size_t bytes);
void copy_within(const Cuda& gpu, void* to, const void* from, std::size_t bytes);
/// Allocates zeroed host memory from which a GPU copies by itself. Throws std::bad_alloc.
void* allocate_pinned(const Cuda& gpu, std::size_t bytes);
/// Frees what `allocate_pinned` returned.
void release_pinned(void* p) noexcept;
/// Copies from pinned memory, which must stay as it is until then; ordered among uploads, not among ops.
void upload(const Cuda& gpu, void* to, const void* pinned, std::size_t bytes);
/// Sets `bytes` bytes to 0.
void clear(const Cpu&, void* p, std::size_t bytes);
void clear(const Cuda& gpu, void* p, std::size_t bytes);

}  // namespace sparsepush
