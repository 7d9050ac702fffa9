// Losses, gradients and scores of the nodes of one shard: what a task does on a backend.
#pragma once
#include <cstdint>
#include <functional>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"
#include "kernels/nodes/state.h"

namespace sparsepush {

/// The state of the local nodes that gradients are taken at: z_i = x_i * (float)(1 / u_i), or x_i itself where u is
/// empty.
struct NodeParameters {
  MatrixView<const float> x;  ///< [nodes, row]
  std::span<const double> u;  ///< [nodes]
};

/// What a step's gradients are taken from, in backend memory.
struct GradientIn {
  NodeParameters at;
  const std::int64_t* step = nullptr;  ///< [1] SGD steps done; in recorded work this alone says which step it is
};

/// Where a step's gradients are left, in backend memory.
struct GradientOut {
  MatrixView<float> gradient;  ///< [nodes, row] padding stays 0
  std::span<double> loss;      ///< [nodes] += the node's loss
};

/// Means over the nodes of a replica, in host memory.
struct MeanModel {
  std::span<const double> z;           ///< [row] sum x / sum u
  std::span<const double> statistics;  ///< [columns of statistics()]
};

/// Watches a test: is called before each batch of it, from any of its threads, with the share of one model's test that
/// the batch is, of all models in it. If it returns false, the rest is left out, and the scores mean nothing.
using TestWatch = std::function<bool(double models)>;

/// Computes gradients and scores of the local nodes, rows replica-major. Not thread-safe.
template <class Backend>
class Gradients {
 public:
  virtual ~Gradients() = default;

  /// Returns whether `compute` may become part of recorded work, which is repeated without the host. If not, it is
  /// called in every step, before anything else of the step.
  virtual bool can_be_recorded() const { return true; }

  /// Takes the nodes' state, which outlives it and holds Task::state(). Is called once, before anything below.
  virtual void use(const State<Backend>& /*state*/) {}

  /// Returns the [nodes, ...] running statistics of normalization, in backend memory: part of a node's state, but
  /// neither trained nor sent. There are no columns where there are none.
  virtual MatrixView<float> statistics() const { return {}; }
  /// Replaces the statistics by averages over batches of the node's own samples, at z.
  virtual void reestimate_statistics(const Backend& /*backend*/, const NodeParameters& /*at*/) {}

  /// Computes the gradient of every node's loss at z on its batch of the step. `host_step` is the host's number of the
  /// step, which recorded work must not use. Losses are added to after everything that may throw, so that a step that
  /// failed can be taken again.
  virtual void compute(const Backend& backend, const GradientIn& in, const GradientOut& out,
                       std::int64_t host_step) = 0;

  /// Takes who watches from now on while it scores; short tests need not be watched.
  virtual void watch_tests(TestWatch /*watch*/) {}
  /// Scores nodes: score.row(i) = loss of node nodes[i]'s model z, then the task's other scores: on the test set, or,
  /// for problems without data, of the node's own objective. score: [nodes to score, 1 + scores] in host memory.
  virtual void score_nodes(const Backend& backend, const NodeParameters& at, std::span<const int> nodes,
                           MatrixView<double> score) = 0;

  /// Scores a replica's mean model, whose local nodes are [first_node, first_node + score.rows), into rows as those of
  /// score_nodes. Networks have one test set and fill every row alike; problems without data score each node's
  /// objective.
  virtual void score_mean(const Backend& backend, const MeanModel& mean, int first_node, MatrixView<double> score) = 0;
};

}  // namespace sparsepush
