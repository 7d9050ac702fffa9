// What both directions of normalization share.
#pragma once
#include <cstdint>

#include "kernels/backend/exponential.h"
#include "kernels/layers/normalize/normalize.h"

namespace sparsepush {

/// What statistics are taken over: `instances` parts of a node's samples, each with `groups` groups of channels.
struct NormGroups {
  int instances, groups;
  int samples;          ///< of an instance
  std::int64_t pixels;  ///< of an instance
};

constexpr NormGroups norm_groups(const NormalizeLayer& layer, int samples) {
  const std::int64_t pixels = layer.shape.pixels();
  if (layer.norm == Norm::kGroup || layer.norm == Norm::kEvoNorm) return {samples, layer.groups, 1, pixels};
  return {1, layer.norm == Norm::kBatch ? layer.shape.channels : 1, samples, samples * pixels};
}

/// Returns whether `from` is the skip tensor of a layer of shape `to` by option A.
constexpr bool is_option_a(const ImageShape& from, const ImageShape& to) {
  return to.height == (from.height + 1) / 2 && to.width == (from.width + 1) / 2 && to.channels == 2 * from.channels &&
         to.channels % 4 == 0;
}

struct Sigmoid {
  float value, rest;  ///< rest: 1 - value, without cancellation
};
/// Computes 1 / (1 + exp(-t)), to 4 ulp for t >= -87.
constexpr Sigmoid sigmoid(float t) {
  const float e = exp_nonpositive(t < 0 ? t : -t);
  const float large = 1.0f / (1.0f + e), small = e * large;
  return t < 0 ? Sigmoid{small, large} : Sigmoid{large, small};
}

}  // namespace sparsepush
