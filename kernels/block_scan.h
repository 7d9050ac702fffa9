// Sums over the threads of a block, for .cu files only.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>

namespace sparsepush {

constexpr int kWarpThreads = 32;

struct BlockScan {
  unsigned before;  ///< sum of the values of all threads with a lower number
  unsigned total;   ///< sum of all values
};

/// All threads of a block of whole warps call it. warp_sums: shared, one a warp; free again on return.
__device__ inline BlockScan block_scan(unsigned value, unsigned* warp_sums) {
  const unsigned lane = threadIdx.x % kWarpThreads, warp = threadIdx.x / kWarpThreads;
  unsigned sum = value;
  for (unsigned distance = 1; distance < kWarpThreads; distance *= 2) {
    const unsigned lower = __shfl_up_sync(~0u, sum, distance);
    if (lane >= distance) sum += lower;
  }
  if (lane == kWarpThreads - 1) warp_sums[warp] = sum;
  __syncthreads();
  BlockScan scan{sum - value, 0};
  for (unsigned w = 0; w < blockDim.x / kWarpThreads; ++w) {
    if (w < warp) scan.before += warp_sums[w];
    scan.total += warp_sums[w];
  }
  __syncthreads();
  return scan;
}

}  // namespace sparsepush
