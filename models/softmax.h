// Softmax regression: a single layer.
#pragma once
#include "models/models.h"

namespace sparsepush {

/// Makes the network features - classes, its layer called fc.
Network make_softmax(int features, int classes);

Model softmax_model();

}  // namespace sparsepush
