// Which taps of a convolution's kernel meet which pixels of its two sides.
#pragma once
#include <algorithm>

#include "kernels/backend/divisor.h"
#include "kernels/layers/conv2d/conv2d.h"

namespace sparsepush {

/// One axis of a grid of pixels on one side of a layer: tap t at its pixel i meets pixel first + step i + direction t
/// of the other side, which has `length` of them, the rest being zeros.
struct GridAxis {
  Divisor pixels, taps;
  int step, first, direction, length;
};

/// Pixel `number` of the grids of all samples, in rows.
struct GridPixel {
  int sample, y, x;
};
constexpr GridPixel grid_pixel(const GridAxis& y, const GridAxis& x, int number) {
  const int line = x.pixels.divide(number), sample = y.pixels.divide(line);
  return {sample, line - sample * y.pixels.value(), number - line * x.pixels.value()};
}

/// Returns the axis of the outputs, which read `in` pixels.
inline GridAxis output_axis(const Conv2dLayer& layer, int in, int out) {
  return {Divisor(out), Divisor(layer.kernel), layer.stride, -layer.padding, 1, in};
}

/// The axis of the inputs by phases: pixels of one phase are `stride` apart, and so are the taps by which they reach
/// outputs. A pixel of another phase has none in common with them.
class InputPhases {
 public:
  struct Phase {
    int first_pixel, first_tap;  ///< of the image and the kernel
    int pixels, taps;            ///< how many; what GridAxis numbers
    GridAxis axis;
  };

  InputPhases(const Conv2dLayer& layer, int in, int out)
      : in_(in), out_(out), kernel_(layer.kernel), stride_(layer.stride), padding_(layer.padding) {
    for (int more = 0; more < 2; ++more) {
      pixels_[more] = Divisor(std::max(in_ / stride_ + more, 1));
      taps_[more] = Divisor(std::max(kernel_ / stride_ + more, 1));
    }
  }

  /// Returns the phase of pixel `first`, one of those before the stride.
  constexpr Phase phase(int first) const {
    const int first_tap = (first + padding_) % stride_;
    const int more_pixels = first < in_ % stride_ ? 1 : 0, more_taps = first_tap < kernel_ % stride_ ? 1 : 0;
    return {first,
            first_tap,
            in_ / stride_ + more_pixels,
            kernel_ / stride_ + more_taps,
            {pixels_[more_pixels], taps_[more_taps], 1, (first + padding_) / stride_, -1, out_}};
  }
  /// Returns the pixels of the longest phase.
  constexpr int most_pixels() const { return (in_ + stride_ - 1) / stride_; }

 private:
  int in_, out_, kernel_, stride_, padding_;
  Divisor pixels_[2], taps_[2];  ///< of phases, and of those with one more
};

}  // namespace sparsepush
