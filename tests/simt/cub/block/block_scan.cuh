// Stands in for CUB's header of the same name. The storage is free again after a barrier only, as CUB's.
#pragma once
#include <cuda_runtime.h>

#include <string>
#include <type_traits>

namespace cub {

enum BlockScanAlgorithm { BLOCK_SCAN_RAKING, BLOCK_SCAN_RAKING_MEMOIZE, BLOCK_SCAN_WARP_SCANS };

template <class T, int kThreads, BlockScanAlgorithm = BLOCK_SCAN_RAKING, int kThreadsY = 1, int kThreadsZ = 1>
class BlockScan {
  static_assert(std::is_integral_v<T>, "simt: sums in another order than CUB's, and so of integers only");
  static_assert(kThreadsY == 1 && kThreadsZ == 1, "simt: only one-dimensional blocks are simulated");

 public:
  struct TempStorage {
    T value[kThreads];
  };

  explicit BlockScan(TempStorage& storage) : storage_(storage) {
    if (blockDim.x != kThreads)
      throw simt::Error("simt: a scan by " + std::to_string(kThreads) + " of " + std::to_string(blockDim.x) +
                        " threads");
  }

  void ExclusiveSum(T value, T& before) {
    T total;
    ExclusiveSum(value, before, total);
  }
  void ExclusiveSum(T value, T& before, T& total) {
    storage_.value[threadIdx.x] = value;
    __syncthreads();
    T lower = 0, all = 0;
    for (unsigned t = 0; t < kThreads; ++t) {
      if (t == threadIdx.x) lower = all;
      all += storage_.value[t];
    }
    before = lower;
    total = all;
  }

 private:
  TempStorage& storage_;
};

}  // namespace cub
