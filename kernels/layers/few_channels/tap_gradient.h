// The gradient of a convolution's parameters: taps of the kernel fill the vectors.
#pragma once
#include <cstdint>

#include "kernels/backend/aligned_floats.h"
#include "kernels/backend/vector_level.h"
#include "kernels/layers/conv2d_layer.h"
#include "kernels/layers/few_channels/padded_image.h"

namespace sparsepush {

/// For layers of stride 1, in memory of its own. What a row of the kernel meets at one output, [kernel, channels], are
/// neighbours in the input; whole vectors of them, the last filled up with what follows, are strips.
class TapGradient {
 public:
  static std::int64_t bytes(const Conv2dLayer& layer);

  explicit TapGradient(const Conv2dLayer& layer);

  /// Computes the parameters' gradient of one node. gradient: its row, of which the layer's parameters are written.
  void take(const float* input, const float* output_gradient, int samples, float* gradient, VectorLevel level);

 private:
  static constexpr int kLanes = kLineFloats;
  int strips() const { return layer_.kernel * PaddedImage::kernel_row_lines(layer_); }

  void add_sample(const float* image, const float* output_gradient);
  template <int kOuts, int kStrips>
  int add_outputs(const float* image, const float* output_gradient, int first);
  template <int kOuts, int kStrips>
  void add_tile(const float* image, const float* output_gradient, int strip, float* sums) const;
  void put_weights(float* gradient);
  void take_bias(const float* output_gradient, int pixels, float* gradient);

  Conv2dLayer layer_;
  PaddedImage image_;
  AlignedFloats sums_;       ///< [out, strips, lanes]
  AlignedFloats bias_sums_;  ///< [lanes, out]
};

}  // namespace sparsepush
