// Shared memory whose size the launch gives, for .cu files only.
#pragma once
#include <cuda_runtime.h>

namespace sparsepush {

/// Returns where a kernel's dynamic shared memory begins, 16-byte aligned; the same for every call of a kernel.
template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char dynamic_shared_bytes[];
  return reinterpret_cast<T*>(dynamic_shared_bytes);
}

}  // namespace sparsepush
