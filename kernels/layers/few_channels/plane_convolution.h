// A convolution to few channels: pixels fill the vectors.
#pragma once
#include <cstdint>

#include "kernels/backend/aligned_floats.h"
#include "kernels/backend/vector_level.h"
#include "kernels/layers/conv2d_layer.h"

namespace sparsepush {

/// For layers of stride 1 to at most kChannels channels, which would leave most of a vector empty. Works on one sample
/// at a time, as planes, in memory of its own.
class PlaneConvolution {
 public:
  static constexpr int kChannels = 6;
  static constexpr bool suits(const Conv2dLayer& layer) { return layer.stride == 1 && layer.out <= kChannels; }
  static std::int64_t bytes(const Conv2dLayer& layer);

  explicit PlaneConvolution(const Conv2dLayer& layer);

  /// Computes the output of one node, with its row x and r of z = x * r.
  void forward(const float* x, float r, const float* input, int samples, float* output, VectorLevel level);

 private:
  /// Where things stand in a plane of the padded image: the sum of output (y, x) begins at position y * width + x.
  /// Between these lie positions that belong to no output, computed because that is simpler.
  struct Planes {
    explicit Planes(const Conv2dLayer& layer);
    int width;      ///< of the padded image
    int positions;  ///< from the first output to the last, rounded up
    int length;     ///< of a plane: up to what the last position's sum reads
  };

  void forward_samples(const float* input, int samples, float* output);
  void take_input(const float* image);
  void put_outputs(const float* block, int first, float* image) const;
  void convolve(float* image);
  static int taps(const Conv2dLayer& layer) { return layer.in.channels * layer.kernel * layer.kernel; }

  Conv2dLayer layer_;
  Planes planes_;
  AlignedFloats input_;   ///< [channels, length], zeros around the image
  AlignedFloats weight_;  ///< [taps + 1, kChannels] at z, the last ones are the bias
};

}  // namespace sparsepush
