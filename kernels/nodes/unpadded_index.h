// Positions in padded rows as messages number them, for .cu files only.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/nodes/row_layout.h"

namespace sparsepush {

/// Returns the index of a position, not counting padding: by a binary search.
__device__ inline std::int64_t unpadded_index(std::span<const Padding> paddings, std::int64_t position) {
  const std::size_t i = count_before(paddings.size() - 1, [&](std::size_t p) { return paddings[p].end <= position; });
  return position - paddings[i].before;
}

/// Returns the position of the element with index `index`, not counting padding, among `paddings`: the inverse.
__device__ inline std::int64_t padded_index(std::span<const Padding> paddings, std::int64_t index) {
  const std::size_t i =
      count_before(paddings.size() - 1, [&](std::size_t p) { return paddings[p].end - paddings[p].before <= index; });
  return index + paddings[i].before;
}

}  // namespace sparsepush
