// Sums in a fixed order of terms that a block computes in parallel, for .cu files only.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/backend/cuda_launch.h"

namespace sparsepush {

constexpr int kOrderedSumThreads = 256;  // a block
constexpr int kOrderedSumTerms = 1024;   // at once: four a thread, and memory for eight blocks a multiprocessor

/// Returns a shape with a block per row, and the shared memory that the functions below need.
inline LaunchShape ordered_sum_shape(const Cuda& gpu, std::int64_t rows) {
  return {.blocks = blocks_for(gpu, rows),
          .threads = kOrderedSumThreads,
          .shared_bytes = (2 * kOrderedSumTerms + 1) * sizeof(double)};
}

/// Sums term(i) over the i in [0, count) with the same i mod kLanes; of these kLanes sums thread t of the block's first
/// warp receives number t mod kLanes. The whole block calls it. All threads compute terms, each once; the first warp
/// adds them, a thread per partial sum and others alike, while the rest goes on with the next ones. The price of the
/// fixed order are count / kLanes additions in double one after the other.
template <int kLanes, class Term>
__device__ double partial_sum(std::int64_t count, const Term& term) {
  static_assert(kLanes <= 32 && kOrderedSumTerms % kLanes == 0);
  double lane_sum = 0;
  for (std::int64_t begin = 0; begin < count; begin += kOrderedSumTerms) {
    double* terms = dynamic_shared<double>() + begin / kOrderedSumTerms % 2 * kOrderedSumTerms;
    const int size = static_cast<int>(std::min(std::int64_t{kOrderedSumTerms}, count - begin));
    for (int i = threadIdx.x; i < size; i += kOrderedSumThreads) terms[i] = term(begin + i);
    __syncthreads();
    if (threadIdx.x / 32 == 0)
      for (int i = threadIdx.x % kLanes; i < size; i += kLanes) lane_sum += terms[i];
  }
  __syncthreads();  // the next call begins where these terms may stand
  return lane_sum;
}

/// Sums term(i) for i in [0, count): the partial sums above, added up in order. The whole block calls it, and its first
/// warp receives the result.
template <int kLanes, class Term>
__device__ double ordered_sum(std::int64_t count, const Term& term) {
  const double lane_sum = partial_sum<kLanes>(count, term);
  double sum = 0;
  for (int lane = 0; lane < kLanes; ++lane) sum += __shfl_sync(~0u, lane_sum, lane);
  return sum;
}

/// Sums as ordered_sum does; all threads of the block receive the result.
template <int kLanes, class Term>
__device__ double ordered_sum_for_all(std::int64_t count, const Term& term) {
  double* const for_all = dynamic_shared<double>() + 2 * kOrderedSumTerms;
  const double sum = ordered_sum<kLanes>(count, term);
  if (threadIdx.x == 0) *for_all = sum;  // the last one was read before the barriers of this sum
  __syncthreads();
  return *for_all;
}

}  // namespace sparsepush
