// Softmax regression: a single layer.
#pragma once
#include "models/network.h"

namespace sparsepush {

/// features - classes, its layer called fc.
Network make_softmax(int features, int classes);

}  // namespace sparsepush
