// The input of a convolution with the zeros around it.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/backend/aligned_floats.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/layers/conv2d_layer.h"

namespace sparsepush {

/// One sample's, copied, so that a vector may begin at any of its floats.
class PaddedImage {
 public:
  explicit PaddedImage(const Conv2dLayer& layer)
      : in_(layer.in), padding_(layer.padding), pixels_(static_cast<std::size_t>(floats(layer))) {}

  static std::int64_t floats(const Conv2dLayer& layer) {
    return std::int64_t{layer.in.height + 2 * layer.padding} * row(layer) + kLineFloats;
  }
  /// Floats from pixel (y, x) to pixel (y + 1, x).
  static int row(const Conv2dLayer& layer) { return (layer.in.width + 2 * layer.padding) * layer.in.channels; }

  /// Vectors that hold what a row of the kernel meets at one output: [kernel, channels] neighbours.
  static int kernel_row_lines(const Conv2dLayer& layer) {
    return static_cast<int>(divide_up(layer.kernel * layer.in.channels, kLineFloats));
  }

  /// Pads an image and returns its first pixel.
  const float* take(const float* image) {
    const int length = in_.width * in_.channels, step = length + 2 * padding_ * in_.channels;
    float* to = pixels_.data() + padding_ * (step + in_.channels);
    if (padding_ == 0)
      std::copy_n(image, in_.size(), to);
    else
      for (int y = 0; y < in_.height; ++y) std::copy_n(image + y * length, length, to + y * step);
    return pixels_.data();
  }

 private:
  ImageShape in_;
  int padding_;
  AlignedFloats pixels_;  ///< [padded height, padded width, channels] and a line
};

}  // namespace sparsepush
