// Memory of one op's call on a GPU, for .cu files only.
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>

#include "kernels/backend/cuda_launch.h"

namespace sparsepush {

/// Uninitialised elements that live until the stream has passed the end of their scope. Not within recorded work, which
/// has its memory before.
template <class T>
class CudaScratch {
 public:
  CudaScratch(const Cuda& gpu, std::size_t size) : gpu_(gpu) {
    void* p = nullptr;
    check_cuda(cudaMallocAsync(&p, std::max<std::size_t>(1, size) * sizeof(T), stream_of(gpu)), "cudaMallocAsync");
    data_ = static_cast<T*>(p);
  }
  /// Copies the host's `values` here.
  CudaScratch(const Cuda& gpu, std::span<const T> values) : CudaScratch(gpu, values.size()) {
    copy(gpu, data_, values.data(), values.size_bytes());
  }
  ~CudaScratch() { cudaFreeAsync(data_, stream_of(gpu_)); }
  CudaScratch(const CudaScratch&) = delete;
  CudaScratch& operator=(const CudaScratch&) = delete;

  T* data() const { return data_; }
  /// Copies the first values.size() elements to the host.
  void read(std::span<T> values) const { copy(gpu_, values.data(), data_, values.size_bytes()); }

 private:
  const Cuda& gpu_;
  T* data_;
};

}  // namespace sparsepush
