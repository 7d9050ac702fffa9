// Batch normalization of an array wherever it is read, in the place of another array that holds what comes of it.
#pragma once
#include <cstdint>
#include <limits>

#include "kernels/backend/view.h"

namespace sparsepush {

/// Returns what a ReLU raises smaller values to; without one NaN, below which nothing is.
constexpr float relu_cut(bool relu) { return relu ? 0.0f : std::numeric_limits<float>::quiet_NaN(); }

/// What normalizes the values of a channel.
struct ChannelNorm {
  float mean, scale, shift;

  /// Returns max((x - mean) * scale + shift, cut), each operation rounded; NaN stays NaN.
  constexpr float normalized(float x, float cut) const {
    const float h = (x - mean) * scale + shift;
    return h < cut ? cut : h;
  }
};

/// Says how an array [nodes * samples, shape] is normalized by who reads it.
struct NormOnLoad {
  static constexpr int kNumbers = 3;  ///< of a channel: what ChannelNorm says, in that order

  /// [nodes, >= kNumbers * channels], rows on 16 bytes where channels are a multiple of 4; no data: it is read as it
  /// is.
  MatrixView<const float> terms = {};
  bool relu = false;

  constexpr bool is_wanted() const { return terms.data != nullptr; }
};

}  // namespace sparsepush
