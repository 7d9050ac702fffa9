#include "kernels/layers/conv2d/cudnn_convolution.h"

namespace sparsepush {

CudnnMemory::CudnnMemory(const Conv2dLayer& layer, int samples) {
  constexpr std::int64_t kSmall = 32 << 20, kImageCopies = 2, kWeightCopies = 16;
  const std::int64_t weights = std::int64_t{layer.out} * layer.in.channels * layer.kernel * layer.kernel;
  const std::int64_t in = layer.in.size(), out = layer.out_shape().size();
  filter = (weights + 3) / 4 * 4;
  input_copy = in % 4 == 0 ? 0 : samples * in;
  output_copy = out % 4 == 0 ? 0 : samples * out;
  const std::int64_t floats = kImageCopies * samples * (in + out) + kWeightCopies * weights;
  most_workspace = kSmall + floats * static_cast<std::int64_t>(sizeof(float));
}

}  // namespace sparsepush
