// ResNet-20 for small images.
#pragma once
#include "models/models.h"

namespace sparsepush {

/// Makes the network of [ResNet] section 4.2: a 3 x 3 convolution, three stages of three blocks with 16, 32 and 64
/// channels, the last two beginning with stride 2, average pooling, one fully connected layer. Shortcuts without
/// parameters (option A). With EvoNorm no ReLU follows, not even the additions; without normalization convolutions have
/// a bias. Weights of convolutions are normal with variance 2 / fan-in ([HeInit]), without normalization those of
/// residual branches scaled as in [Fixup], whose scalar parameters are left out. Parameters are named as in
/// torchvision's ResNets, the last layer `linear`.
Network make_resnet20(ImageShape input, int classes, Norm norm);

Model resnet20_model();

}  // namespace sparsepush
