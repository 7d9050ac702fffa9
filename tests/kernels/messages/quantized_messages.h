// Quantized messages by the definition: what is sent of a tensor, and what a receiver makes of it.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/backend/random.h"
#include "tests/kernels/messages/sum_of_16.h"

namespace sparsepush {

/// What is sent of a tensor: a scale, and for each element a level and whether it is negative.
struct QuantizedTensor {
  float scale = 0;
  std::vector<int> level;
  std::vector<bool> negative;
};

struct LevelSettings {
  int levels = 1;
  bool unbiased = false;
  std::uint64_t seed = 0;
  int node = 0;
  std::int64_t round = 0;
};

/// Element j goes to partial sum j mod 16.
template <class Term>
double sum_of_16(const std::vector<float>& v, const Term& term) {
  return ordered_sum_of_16(v.size(), [&](std::size_t j) { return term(v[j]); });
}

inline double variance_of(double n, double s) { return std::min(n / (s * s), std::sqrt(n) / s); }

/// `begin`: of the tensor in the padded row.
inline QuantizedTensor levels_of(const std::vector<float>& v, std::int64_t begin, const LevelSettings& settings) {
  QuantizedTensor tensor{.scale = static_cast<float>(std::sqrt(sum_of_16(v, [](double x) { return x * x; }))),
                         .level = {},
                         .negative = {}};
  const double s = settings.levels;
  const float inverse = tensor.scale < std::ldexp(1.0f, -100) ? 0 : static_cast<float>(s / tensor.scale);
  for (std::size_t j = 0; j < v.size(); ++j) {
    const std::uint64_t p = static_cast<std::uint64_t>(begin) + j;
    const std::uint32_t word = random_bits({.seed = settings.seed,
                                            .purpose = Purpose{7},
                                            .node = static_cast<std::uint64_t>(settings.node),
                                            .step = static_cast<std::uint64_t>(settings.round),
                                            .index = p / 4})[p % 4];
    const float y = std::abs(v[j]) * inverse;
    const float up = std::ldexp(static_cast<float>(word >> 8), -24) < y - std::floor(y) ? 1 : 0;
    tensor.level.push_back(std::isfinite(y) ? static_cast<int>(std::min<float>(std::floor(y) + up, s)) : 0);
    tensor.negative.push_back(std::signbit(v[j]));
  }
  return tensor;
}

inline std::vector<float> q_of(const QuantizedTensor& tensor, const LevelSettings& settings) {
  const double n = static_cast<double>(tensor.level.size()), s = settings.levels;
  const double omega = settings.unbiased ? 0 : variance_of(n, s);
  const bool is_zero = tensor.scale < std::ldexp(1.0f, -100);
  const float step = is_zero ? 0 : static_cast<float>(static_cast<double>(tensor.scale) / (s * (1 + omega)));
  std::vector<float> q;
  for (std::size_t j = 0; j < tensor.level.size(); ++j) {
    const float magnitude = static_cast<float>(tensor.level[j]) * step;
    q.push_back(tensor.negative[j] ? -magnitude : magnitude);
  }
  return q;
}

inline QuantizedTensor signs_of(const std::vector<float>& v) {
  const double sum = sum_of_16(v, [](double x) { return std::abs(x); });
  QuantizedTensor tensor{.scale = static_cast<float>(sum / static_cast<double>(v.size())), .level = {}, .negative = {}};
  for (const float x : v) tensor.negative.push_back(std::signbit(x));
  return tensor;
}

inline std::vector<float> q_of(const QuantizedTensor& tensor) {
  std::vector<float> q;
  for (const bool negative : tensor.negative) q.push_back(negative ? -tensor.scale : tensor.scale);
  return q;
}

}  // namespace sparsepush
