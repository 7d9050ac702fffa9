// VGG11 for small images.
#pragma once
#include "models/models.h"

namespace sparsepush {

/// Makes configuration A of [VGG]: eight 3 x 3 convolutions with bias, each with normalization and ReLU, and
/// max-pooling after the first, second, fourth, sixth and eighth, for images of 32 pixels a side; then fully connected
/// layers of 512 and `classes` outputs. Weights of convolutions are normal with variance 2 / fan-out ([HeInit]), their
/// biases 0. Parameters are named as in torchvision's VGGs.
Network make_vgg11(ImageShape input, int classes, Norm norm);

Model vgg11_model();

}  // namespace sparsepush
