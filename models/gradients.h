// What a node learns: the seam between the emulator and the networks or problems that produce gradients.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/row_layout.h"
#include "kernels/view.h"

namespace sparsepush {

/// Name and shape of one tensor, in the usual PyTorch order; tensor s is segment s of the row.
struct Parameter {
  std::string name;                 ///< such as "fc1.weight"
  std::vector<std::int64_t> shape;  ///< such as [out, in]
};

/// The state of the local nodes that gradients are taken at: z_i = x_i * (float)(1 / u_i).
struct NodeParameters {
  MatrixView<const float> x;  ///< [nodes, row]
  std::span<const double> u;  ///< [nodes]
};

/// Loss and accuracy of one model on the test set.
struct Score {
  double loss = 0;
  double accuracy = 0;  ///< fraction in [0, 1]; meaningless where `has_accuracy()` is false
};

/// Produces losses and gradients for the nodes of one shard, rows replica-major. Not thread-safe.
template <class Backend>
class Gradients {
 public:
  virtual ~Gradients() = default;

  virtual const RowLayout& layout() const = 0;
  virtual const std::vector<Parameter>& parameters() const = 0;
  /// False for problems without labels.
  virtual bool has_accuracy() const = 0;

  /// Writes the initial parameters of local node `node` to the host row `row` [layout().row].
  virtual void initialize(int node, float* row) const = 0;

  /// Gradients of every node's loss at z on its batch of SGD step *step; loss[i] += node i's loss.
  /// gradient: [nodes, row], padding stays 0; loss: [nodes]; step and both in backend memory.
  virtual void compute(const Backend& backend, const NodeParameters& at, const std::int64_t* step,
                       MatrixView<float> gradient, std::span<double> loss) = 0;

  /// score[i] = node nodes[i]'s model z on the test set (for problems without data: on the node's own objective).
  virtual void score_nodes(const Backend& backend, const NodeParameters& at, std::span<const int> nodes,
                           std::span<Score> score) = 0;

  /// The mean model's score. `mean` [row] host memory is sum x / sum u of the replica that the local nodes
  /// [first_node, first_node + score.size()) belong to. Networks have one test set and fill every score alike; problems
  /// without data score each node's objective.
  virtual void score_mean(const Backend& backend, std::span<const double> mean, int first_node,
                          std::span<Score> score) = 0;
};

}  // namespace sparsepush
