// Convolutions of images of one or three channels on a GPU's tensor cores, for .cu files only.
#pragma once
#include "kernels/layers/conv2d/conv2d.h"

namespace sparsepush {

/// Computes passes as tensor_convolution.h says of its own, for a network's first layer. There is none for the input's
/// gradient, which a first layer does not need.
bool few_channels_forward(const Cuda& gpu, const Conv2dLayer& layer, int samples, const Conv2dForward& forward);
bool few_channels_parameter_gradient(const Cuda& gpu, const Conv2dLayer& layer, int samples,
                                     const Conv2dBackward& backward, float* partial);

}  // namespace sparsepush
