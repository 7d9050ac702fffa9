// Sums over the threads of a block whose size the launch chooses, for .cu files only. CUB's block primitives want it to
// be a constant: for the sizes of `wire_sizes_kernel` four kernels of 213 to 225 instructions (sm_90) instead of one of
// 288, and twice the compile time.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

namespace sparsepush {

constexpr int kWarpThreads = 32;

template <class T>
struct BlockScan {
  T before;  ///< sum of the values of all threads with a lower number
  T total;   ///< sum of all values
};

/// All threads of a block of whole warps call it. warp_sums: shared, one a warp; free again on return.
template <class T>
__device__ BlockScan<T> block_scan(T value, T* warp_sums) {
  const unsigned lane = threadIdx.x % kWarpThreads, warp = threadIdx.x / kWarpThreads;
  T sum = value;
  for (unsigned distance = 1; distance < kWarpThreads; distance *= 2) {
    const T lower = __shfl_up_sync(~0u, sum, distance);
    if (lane >= distance) sum += lower;
  }
  if (lane == kWarpThreads - 1) warp_sums[warp] = sum;
  __syncthreads();
  BlockScan<T> scan{sum - value, 0};
  for (unsigned w = 0; w < blockDim.x / kWarpThreads; ++w) {
    if (w < warp) scan.before += warp_sums[w];
    scan.total += warp_sums[w];
  }
  __syncthreads();
  return scan;
}

}  // namespace sparsepush
