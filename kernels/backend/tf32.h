// Rounding to TF32, what tensor cores read of a float: its sign, 8 bits of exponent and 10 of fraction.
#pragma once
#include <bit>
#include <cstdint>

namespace sparsepush {

/// Rounds to the nearest TF32, ties away from zero; what would be too large becomes infinite, as the nearest is. Tensor
/// cores drop the low 13 bits of a float: added half of them first, they round. That alone would carry the NaN that
/// GPUs make, 0x7fffffff, over into -0, and dropping would make infinity of a NaN with low bits only: so NaN is told
/// apart first.
constexpr float round_to_tf32(float value) {
  constexpr std::uint32_t kDropped = (1u << 13) - 1, kNan = 0x7fffe000;
  if (value != value) return std::bit_cast<float>(+kNan);
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(value) + (kDropped + 1) / 2) & ~kDropped);
}

}  // namespace sparsepush
