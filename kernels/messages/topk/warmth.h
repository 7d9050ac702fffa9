// What the last selection of a (node, group) teaches the next one, on every backend.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/float_bits.h"

namespace sparsepush {

struct Warmth {
  float threshold = 0;  ///< magnitude that its entries reached; 0: start cold
  float fall = 0;       ///< by how much it falls from round to round at worst, relative; negative where it rises
};

// The next selection starts below the last threshold: by the worst fall, and by a margin for chance, which moves the
// threshold of many entries less than that of few. A fall counts at once, because a start above the threshold costs a
// second look; a rise counts by and by, because a start far below it only costs candidates.
inline constexpr float kMargin = 0.1f, kMostFall = 0.3f, kForget = 0.1f;

inline float start_margin(std::int64_t entries) { return kMargin / std::sqrt(static_cast<float>(entries)); }

/// Returns the magnitude key that the next selection may start from; 0 before the first.
constexpr std::uint32_t warm_start(const Warmth& warmth, float margin) {
  return magnitude_key(warmth.threshold * (1 - warmth.fall - margin));
}

/// Learns from a selection that ended with `threshold`, a magnitude key.
constexpr void learn(Warmth& warmth, std::uint32_t threshold) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float now = std::bit_cast<float>(threshold);
  const float seen = 1 - now / warmth.threshold;  // NaN or infinite at first and after a divergence
  const float fall = seen > -kInfinity && seen < kInfinity ? clamp_value(seen, -kMostFall, kMostFall) : kMostFall;
  warmth = {now, fall > warmth.fall ? fall : warmth.fall + kForget * (fall - warmth.fall)};
}

}  // namespace sparsepush
