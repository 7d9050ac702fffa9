// A convolution from few channels to a vector of them.
#pragma once
#include <cstdint>

#include "kernels/backend/aligned_floats.h"
#include "kernels/backend/vector_level.h"
#include "kernels/layers/conv2d_layer.h"
#include "kernels/layers/few_channels/padded_image.h"

namespace sparsepush {

/// For layers of stride 1 and kernels of kKernel, whose images fall into tiles of kTile outputs in both directions.
/// Works on one sample at a time, in memory of its own.
class ChannelConvolution {
 public:
  static constexpr int kKernel = 5, kTile = 10;
  static constexpr int kChannels = 8;  ///< in, at most; from 16 on oneDNN fills its vectors
  static constexpr bool suits(const Conv2dLayer& layer) {
    const ImageShape out = layer.out_shape();
    return layer.stride == 1 && layer.kernel == kKernel && layer.in.channels <= kChannels &&
           layer.out % kLineFloats == 0 && out.height % kTile == 0 && out.width % kTile == 0;
  }
  static std::int64_t bytes(const Conv2dLayer& layer);

  explicit ChannelConvolution(const Conv2dLayer& layer);

  /// Computes the output of one node, with its row x and r of z = x * r.
  void forward(const float* x, float r, const float* input, int samples, float* output, VectorLevel level);
  void backward_input(const float* x, float r, const float* output_gradient, int samples, float* input_gradient,
                      VectorLevel level);

 private:
  static std::int64_t weight_floats(const Conv2dLayer& layer);

  void pack_forward(const float* x, float r);
  void pack_backward(const float* x, float r);
  void convolve(const float* image, float* output) const;
  void spread(const float* output_gradient);
  void spread_tile(const float* output_gradient, int vector, float* to) const;
  void put_input_gradient(float* image) const;

  Conv2dLayer layer_;
  PaddedImage image_;
  AlignedFloats
      weight_;  ///< forward [out / lanes, kernel, channels, kernel, lanes], backward [vectors, out, kernel, lanes]
  AlignedFloats bias_;      ///< [out] at z
  AlignedFloats gradient_;  ///< of the padded image
};

}  // namespace sparsepush
