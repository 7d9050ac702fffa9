// Positions in padded rows as messages number them, for .cu files only.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <span>

#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/nodes/cuda_layout.h"

namespace sparsepush {

/// The index of a position, not counting padding: a binary search for the run that it lies in.
__device__ inline std::int64_t unpadded_index(std::span<const PackedRun> runs, std::int64_t position) {
  const std::size_t run = count_before(runs.size() - 1, [&](std::size_t i) { return runs[i].end <= position; });
  return position - runs[run].padding;
}

}  // namespace sparsepush
