// Stands in for CUB's header of the same name. The storage is free again after a barrier of the warp only, as CUB's.
#pragma once
#include <cuda_runtime.h>

#include <type_traits>

namespace cub {

template <class T, int kThreads = 32>
class WarpReduce {
  static_assert(std::is_integral_v<T>, "simt: sums in another order than CUB's, and so of integers only");
  static_assert(kThreads == simt::kWarp, "simt: only whole warps are simulated");

 public:
  struct TempStorage {
    T value[kThreads];
  };

  explicit WarpReduce(TempStorage& storage) : storage_(storage) {
    if (simt::warp_threads() != kThreads) throw simt::Error("simt: a sum over a warp that is not whole");
  }

  /// The sum in the first lane; what other lanes get must not be used, and is poison.
  T Sum(T value) {
    storage_.value[simt::lane()] = value;
    __syncwarp();
    if (simt::lane() != 0) return static_cast<T>(~T{0});
    T sum = 0;
    for (const T v : storage_.value) sum += v;
    return sum;
  }

 private:
  TempStorage& storage_;
};

}  // namespace cub
