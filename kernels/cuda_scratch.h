// Memory of one op's call on a GPU, for .cu files only.
#pragma once
#include <cstddef>

#include "kernels/cuda_launch.h"

namespace sparsepush {

/// Uninitialised elements that live until the stream has passed the end of their scope.
template <class T>
class CudaScratch {
 public:
  CudaScratch(const Cuda& gpu, std::size_t size) : gpu_(gpu) {
    void* p = nullptr;
    check_cuda(cudaMallocAsync(&p, size * sizeof(T), stream_of(gpu)), "cudaMallocAsync");
    data_ = static_cast<T*>(p);
  }
  ~CudaScratch() { cudaFreeAsync(data_, stream_of(gpu_)); }
  CudaScratch(const CudaScratch&) = delete;
  CudaScratch& operator=(const CudaScratch&) = delete;

  T* data() const { return data_; }

 private:
  const Cuda& gpu_;
  T* data_;
};

}  // namespace sparsepush
