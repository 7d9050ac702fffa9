// Positions in padded rows as messages number them, for .cu files only.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <span>

#include "kernels/cuda_layout.h"

namespace sparsepush {

/// The index of a position, not counting padding: a binary search for the run that it lies in.
__device__ inline std::int64_t unpadded_index(std::span<const PackedRun> runs, std::int64_t position) {
  std::size_t low = 0, high = runs.size() - 1;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (runs[middle].end <= position)
      low = middle + 1;
    else
      high = middle;
  }
  return position - runs[low].padding;
}

}  // namespace sparsepush
