// Stands in for CUB's header of the same name. The storage is free again after a barrier only, as CUB's.
#pragma once
#include <cuda_runtime.h>

#include <string>
#include <type_traits>

namespace cub {

template <class T, int kThreads>
class BlockReduce {
  static_assert(std::is_integral_v<T>, "simt: sums in another order than CUB's, and so of integers only");

 public:
  struct TempStorage {
    T value[kThreads];
  };

  explicit BlockReduce(TempStorage& storage) : storage_(storage) {
    if (blockDim.x != kThreads)
      throw simt::Error("simt: a sum by " + std::to_string(kThreads) + " of " + std::to_string(blockDim.x) +
                        " threads");
  }

  /// The sum in the first thread; what others get must not be used, and is poison.
  T Sum(T value) {
    storage_.value[threadIdx.x] = value;
    __syncthreads();
    if (threadIdx.x != 0) return static_cast<T>(~T{0});
    T sum = 0;
    for (const T v : storage_.value) sum += v;
    return sum;
  }

 private:
  TempStorage& storage_;
};

}  // namespace cub
