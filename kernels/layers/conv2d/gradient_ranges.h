// How the sums of a convolution's parameter gradient are split on a GPU.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/layers/conv2d/conv2d.h"

namespace sparsepush {

/// `count` ranges of `length` output pixels of a node's samples; the last may be shorter. By layer and batch alone, so
/// that sums have the same bits whatever else is computed at the same time.
struct GradientRanges {
  GradientRanges(const Conv2dLayer& layer, int samples) {
    constexpr int kLeast = 2048, kMost = 16;  // enough blocks for a few nodes; partial sums are few beside activations
    const std::int64_t pixels = std::int64_t{samples} * layer.out_shape().pixels();
    count = static_cast<int>(std::clamp<std::int64_t>(pixels / kLeast, 1, kMost));
    length = static_cast<int>((pixels + count - 1) / count);
  }
  int count, length;
};

/// Counts the columns of a parameter gradient as a matrix: a row per output channel, in it the weights by tap and input
/// channel, then the bias.
constexpr int gradient_columns(const Conv2dLayer& layer) {
  return layer.in.channels * layer.kernel * layer.kernel + (layer.bias == Conv2dLayer::kNoBias ? 0 : 1);
}

/// Counts the floats of a node's sums of ranges; 0 where there is one range, whose sums are the gradient's.
inline std::int64_t range_floats(const Conv2dLayer& layer, int samples) {
  const int ranges = GradientRanges(layer, samples).count;
  return ranges == 1 ? 0 : std::int64_t{ranges} * layer.out * gradient_columns(layer);
}

}  // namespace sparsepush
