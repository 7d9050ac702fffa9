// Convolutions on a GPU's tensor cores, for .cu files only.
#pragma once
#include "kernels/layers/conv2d/conv2d.h"

namespace sparsepush {

/// Computes the passes of conv2d.h in TF32, where the layer asks for that and there is a kernel for its shape: 3 x 3,
/// padding 1, stride 1 or 2, output channels a multiple of 16 and input channels too, or, but for the input's gradient,
/// one or three (tensor_few_channels.h), lines that fit a tile; and where arrays begin on 16 bytes. Else they do
/// nothing and return false. The answer and the order of a sum depend on the layer and the samples of a node only, not
/// on the GPU.
bool tensor_forward(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dForward& forward);
bool tensor_input_gradient(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dBackward& backward);
/// Computes the parameters' gradient. Its tiles of whole lines have multiples of eight pixels, 128 at most: of odd
/// widths there are those up to 15. A bias's gradient is a sum in fp32. In `partial` stand sums of ranges, as many as
/// GradientRanges has at most.
bool tensor_parameter_gradient(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dBackward& backward,
                               float* partial);

}  // namespace sparsepush
