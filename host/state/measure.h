// The measures of a run at one step, over all shards.
#pragma once
#include <cstdint>
#include <vector>

#include "host/state/experiment.h"
#include "host/state/metrics_row.h"
#include "host/state/nodes.h"
#include "kernels/backend/buffer.h"
#include "models/gradients.h"

namespace sparsepush {

/// Sums for train_loss since its window began.
template <class Backend>
struct LossWindow {
  Buffer<Backend, double> sum;  ///< [local rows]
  std::int64_t steps = 0;
};

/// Computes ||x_i||^2 of the nodes of all shards, [replicas * N].
template <class Backend>
std::vector<double> squared_parameter_norms(const Backend& backend, Nodes<Backend>& nodes);

struct WhatToMeasure {
  std::int64_t step = 0;      ///< SGD steps and final rounds that the nodes have done
  std::vector<int> replicas;  ///< ascending
};

/// Measures some replicas, whose parameters are finite, a row each; rows are the same in every shard. Sums run in node
/// order over all shards, so that the bits do not depend on how the nodes are divided. Where blocks of rows have
/// weights, u_sum is the mean of their sums. With zbar = sum x / sum u: consensus = sqrt(sum_i ||z_i - zbar||^2) /
/// (sqrt(N) ||zbar||), error_ratio = ||E||_F / ||X||_F.
template <class Backend>
std::vector<MetricsRow> measure_nodes(const Backend& backend, const Experiment& experiment,
                                      Gradients<Backend>& gradients, Nodes<Backend>& nodes,
                                      const LossWindow<Backend>& loss, const WhatToMeasure& what);

}  // namespace sparsepush
