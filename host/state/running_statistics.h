// Running statistics of normalization over the nodes of a replica.
#pragma once
#include <span>
#include <vector>

#include "host/state/nodes.h"
#include "kernels/nodes/statistics.h"

namespace sparsepush {

/// Takes the means of running statistics over all nodes of the replica, of every shard; sums in double, in node order.
/// statistics: [local rows, columns] in backend memory.
template <class Backend>
std::vector<double> mean_statistics(MatrixView<const float> statistics, Nodes<Backend>& nodes, int replica) {
  const auto local = statistics.rows_from(replica * nodes.shard.nodes(), nodes.shard.nodes());
  std::vector<double> mean(statistics.cols);
  if (mean.empty()) return mean;
  nodes.transport.sum_in_order(
      mean, [&](std::int64_t first, std::span<double> sums) { add_rows(nodes.backend, local, first, sums); });
  for (double& m : mean) m /= nodes.shard.all_nodes;
  return mean;
}

/// Gives every node the means of its replica.
template <class Backend>
void average_statistics(MatrixView<float> statistics, Nodes<Backend>& nodes) {
  if (statistics.cols == 0) return;
  for (int r = 0; r < nodes.shard.replicas; ++r) {
    const std::vector<double> mean = mean_statistics<Backend>(statistics, nodes, r);
    const std::vector<float> row(mean.begin(), mean.end());
    for (int i = 0; i < nodes.shard.nodes(); ++i)
      copy(nodes.backend, statistics.row(r * nodes.shard.nodes() + i), row.data(), row.size() * sizeof(float));
  }
}

}  // namespace sparsepush
