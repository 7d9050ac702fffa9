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

/// Means over the nodes of a replica.
struct MeanModel {
  std::span<const double> z;           ///< [row] sum x / sum u
  std::span<const double> statistics;  ///< [columns of statistics()]
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

  /// [nodes, ...] running statistics of normalization, in backend memory: part of a node's state, but neither trained
  /// nor sent. No columns where there are none.
  virtual MatrixView<float> statistics() const { return {}; }
  /// Names and shapes of the tensors that follow one another in a row of statistics().
  virtual std::vector<Parameter> statistics_tensors() const { return {}; }
  /// Replaces the statistics by averages over batches of the node's own samples, at z.
  virtual void reestimate_statistics(const Backend& /*backend*/, const NodeParameters& /*at*/) {}

  /// Writes the initial parameters of local node `node` to the host row `row` [layout().row].
  virtual void initialize(int node, float* row) const = 0;

  /// Gradients of every node's loss at z on its batch of SGD step *step; loss[i] += node i's loss.
  /// gradient: [nodes, row], padding stays 0; loss: [nodes]; step and both in backend memory.
  virtual void compute(const Backend& backend, const NodeParameters& at, const std::int64_t* step,
                       MatrixView<float> gradient, std::span<double> loss) = 0;

  /// score[i] = node nodes[i]'s model z on the test set (for problems without data: on the node's own objective).
  virtual void score_nodes(const Backend& backend, const NodeParameters& at, std::span<const int> nodes,
                           std::span<Score> score) = 0;

  /// The mean model's score. `mean` holds what its replica's nodes have on average, in host memory; to the replica
  /// belong the local nodes [first_node, first_node + score.size()). Networks have one test set and fill every score
  /// alike; problems without data score each node's objective.
  virtual void score_mean(const Backend& backend, const MeanModel& mean, int first_node, std::span<Score> score) = 0;
};

}  // namespace sparsepush
