// Many positions of random permutations at once, faster than `random_permutation` of kernels/backend/random.h one by
// one.
#pragma once
#include <array>
#include <cstdint>

#include "kernels/backend/random.h"
#include "kernels/backend/vector_level.h"

namespace sparsepush {

/// Positions of permutations of the same `count`, whose draws differ in their step alone.
struct PermutationBlock {
  static constexpr int kLanes = 16;  ///< several vectors, one of which runs while another one waits

  Draw draw;  ///< without step
  std::uint32_t count = 0;
  std::array<std::uint32_t, kLanes> step{};
  std::array<std::uint32_t, kLanes> index{};
};

/// Replaces each index by random_permutation({draw, step}, index, count), exactly, at every level.
void permute(PermutationBlock* block, VectorLevel level);

}  // namespace sparsepush
