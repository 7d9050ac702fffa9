// An array that the host writes and ops read, uploaded while they run.
#pragma once
#include <memory>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/buffer.h"

namespace sparsepush {

/// Owns a zeroed row-major [rows, cols] matrix in the memory of `backend`, which must outlive it.
template <class Backend, class T>
class StagedArray;

/// On the Cpu the host writes where ops read: between them.
template <class T>
class StagedArray<Cpu, T> {
 public:
  StagedArray(const Cpu& cpu, int rows, int cols) : values_(cpu, rows, cols) {}

  MatrixView<T> host() { return values_.view(); }
  std::span<T> span() const { return values_.span(); }
  void upload(int /*first_row*/, int /*rows*/) {}

 private:
  Buffer<Cpu, T> values_;
};

/// On a GPU the host writes to pinned memory, which the queue of uploads copies.
template <class T>
class StagedArray<Cuda, T> {
 public:
  StagedArray(const Cuda& gpu, int rows, int cols)
      : staged_(static_cast<T*>(allocate_pinned(gpu, sizeof(T) * static_cast<std::size_t>(rows) * cols))),
        values_(gpu, rows, cols) {
    gpu.synchronize();  // zeroed before the first upload, which does not wait for ops
  }

  /// Returns what the host writes: no upload that was called may still have to read it.
  MatrixView<T> host() { return {staged_.get(), values_.view().rows, values_.view().cols}; }
  /// Returns what ops read, and may write.
  std::span<T> span() const { return values_.span(); }
  /// Queues a copy of these rows of host() to their places in span().
  void upload(int first_row, int rows) {
    const MatrixView<T> from = host().rows_from(first_row, rows);
    sparsepush::upload(values_.backend(), values_.view().row(first_row), from.data, from.size() * sizeof(T));
  }

 private:
  struct Release {
    void operator()(void* p) const noexcept { release_pinned(p); }
  };
  std::unique_ptr<T[], Release> staged_;  ///< outlives values_, whose release waits for the copies
  Buffer<Cuda, T> values_;
};

}  // namespace sparsepush
