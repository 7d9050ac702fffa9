// A network as a list of layers over one row of parameters.
#pragma once
#include <string>
#include <vector>

#include "kernels/dense.h"
#include "kernels/row_layout.h"
#include "models/gradients.h"

namespace sparsepush {

/// Fully connected layers, a ReLU after each but the last, whose outputs are the logits.
struct Network {
  int features = 0;
  int classes = 0;
  std::vector<DenseLayer> layers;
  std::vector<Parameter> parameters;  ///< weight and bias of each layer in turn
  RowLayout layout;                   ///< of the same tensors
};

/// A fully connected layer to be: its tensors are called <name>.weight and <name>.bias.
struct DenseSpec {
  std::string name;
  int out = 0;
};

Network make_network(int features, const std::vector<DenseSpec>& layers);

/// Initial parameters as PyTorch draws them for linear layers: weights and biases uniform in
/// [-1 / sqrt(in), 1 / sqrt(in)). They depend on `seed` alone, so that all nodes of a replica start equal.
/// row: [layout.row], padding becomes 0.
void initialize_network(const Network& network, std::uint64_t seed, float* row);

}  // namespace sparsepush
