// Multi-layer perceptron.
#pragma once
#include <cstdint>
#include <span>

#include "models/models.h"

namespace sparsepush {

/// Makes the network features - hidden[0] - ... - classes, layers fc1, fc2, ... At least one hidden layer.
Network make_mlp(int features, std::span<const std::int64_t> hidden, int classes);

Model mlp_model();

}  // namespace sparsepush
