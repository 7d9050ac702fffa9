// Magnitudes of floats as unsigned numbers in the same order.
#pragma once
#include <bit>
#include <cstdint>

namespace sparsepush {

inline constexpr std::uint32_t kFirstNonFinite = 0x7f80'0000u;  ///< magnitude bits of infinity

/// Returns the bits of |x|.
constexpr std::uint32_t magnitude_bits(float x) { return std::bit_cast<std::uint32_t>(x) & 0x7fff'ffffu; }

constexpr bool is_finite(float x) { return magnitude_bits(x) < kFirstNonFinite; }

/// Returns the bits of |x| as a key: key(a) < key(b) exactly when |a| < |b|; every NaN has the same key, above
/// infinity's.
constexpr std::uint32_t magnitude_key(float x) {
  const std::uint32_t bits = magnitude_bits(x);
  return bits > kFirstNonFinite ? kFirstNonFinite + 1 : bits;
}

}  // namespace sparsepush
