// LeNet-5 as it is trained today: ReLU and max-pooling.
#pragma once
#include "models/models.h"

namespace sparsepush {

/// Makes LeNet-5 for images of 28 x 28 (padded by 2 on each side) or 32 x 32 pixels: two 5 x 5 convolutions of 6 and 16
/// channels, each with normalization, ReLU and max-pooling, then fully connected layers of 120, 84 and `classes`
/// outputs ([LeNet]). Parameters are drawn as PyTorch's layers draw them by default.
Network make_lenet5(ImageShape input, int classes, Norm norm);

Model lenet5_model();

}  // namespace sparsepush
