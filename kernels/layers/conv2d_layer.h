// The shape of a convolution.
#pragma once
#include <cstdint>

#include "kernels/layers/convolution_code.h"
#include "kernels/layers/image_shape.h"
#include "kernels/layers/precision.h"

namespace sparsepush {

/// A two-dimensional convolution (cross-correlation, zero padding on all sides) and where its parameters stand in a
/// node's row, as in PyTorch: weight [out, in, kernel, kernel], bias [out].
struct Conv2dLayer {
  ImageShape in;
  int out = 0;     ///< channels
  int kernel = 3;  ///< side
  int stride = 1;
  int padding = 1;
  std::int64_t weight = 0;
  std::int64_t bias = kNoBias;
  Precision precision = Precision::kFp32;        ///< a Cpu ignores it
  ConvolutionCode code = ConvolutionCode::kOwn;  ///< as well

  static constexpr std::int64_t kNoBias = -1;
  /// Returns the output's shape. A last stride that does not fit is left out; 0 where the kernel itself does not fit.
  constexpr ImageShape out_shape() const {
    const auto side = [&](int in_side) {
      const int room = in_side + 2 * padding - kernel;
      return room < 0 ? 0 : room / stride + 1;
    };
    return {side(in.height), side(in.width), out};
  }
};

}  // namespace sparsepush
