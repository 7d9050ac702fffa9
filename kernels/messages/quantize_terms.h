// The arithmetic of quantized messages, which all backends share.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/backend/float_bits.h"
#include "kernels/messages/quantize.h"

namespace sparsepush {

constexpr float magnitude_of(float v) { return std::bit_cast<float>(magnitude_bits(v)); }
/// Returns the magnitude with the sign of `sign`.
constexpr float with_sign_of(float magnitude, float sign) {
  const std::uint32_t bit = std::bit_cast<std::uint32_t>(sign) & 0x8000'0000u;
  return std::bit_cast<float>(magnitude_bits(magnitude) | bit);
}

/// Returns omega: how far v / (1 + omega) has to be drawn back for the variance of s levels in a tensor of n elements.
constexpr double level_variance(double n, double s) { return std::min(n / (s * s), std::sqrt(n) / s); }

/// Below it, a tensor counts as 0: inverses of smaller norms overflow.
inline constexpr float kLeastNorm = 0x1p-100f;

/// Returns what a level of one tensor stands for.
constexpr float level_step(float norm, double n, double s, bool unbiased) {
  if (norm < kLeastNorm) return 0;
  return static_cast<float>(static_cast<double>(norm) / (s * (1 + (unbiased ? 0 : level_variance(n, s)))));
}

/// One tensor of one node, to levels.
struct TensorLevels {
  float inverse, step, most;
  Draw draw;
  std::int64_t first_quad;  ///< of the tensor in the padded row

  constexpr PhiloxBlock words(std::int64_t quad) const {
    Draw d = draw;
    d.index = static_cast<std::uint64_t>(first_quad + quad);
    return random_bits(d);
  }
  constexpr float quantized(float v, std::uint32_t word) const {
    const float y = magnitude_of(v) * inverse, below = std::floor(y);
    const float chance = static_cast<float>(word >> 8) * 0x1p-24f;
    const float level = below + (chance < y - below ? 1.0f : 0.0f);
    return with_sign_of((level > most ? most : level) * step, v);
  }
};

/// Makes TensorLevels.
struct ToLevels {
  Levels levels;
  std::int64_t rows;

  static constexpr double term(float v) { return static_cast<double>(v) * static_cast<double>(v); }
  constexpr TensorLevels tensor(std::int64_t row, const Segment& segment, double sum) const {
    const auto n = static_cast<double>(segment.size), s = static_cast<double>(levels.levels);
    const auto norm = static_cast<float>(std::sqrt(sum));
    return {.inverse = norm < kLeastNorm ? 0 : static_cast<float>(s / static_cast<double>(norm)),
            .step = level_step(norm, n, s, levels.unbiased),
            .most = static_cast<float>(levels.levels),
            .draw = levels.draws.of_row(row, rows),
            .first_quad = segment.begin / 4};
  }
};

/// One tensor of one node, to signs.
struct TensorSigns {
  float scale;

  constexpr PhiloxBlock words(std::int64_t) const { return {}; }
  constexpr float quantized(float v, std::uint32_t) const { return with_sign_of(scale, v); }
};

/// Makes TensorSigns.
struct ToSigns {
  static constexpr double term(float v) { return static_cast<double>(magnitude_of(v)); }
  constexpr TensorSigns tensor(std::int64_t, const Segment& segment, double sum) const {
    return {static_cast<float>(sum / static_cast<double>(segment.size))};
  }
};

}  // namespace sparsepush
