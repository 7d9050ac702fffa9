// Skew-Compensated Sparse Push, our reading of [SparsePush]: Sparse-Push for all steps, then a final merging of the
// models without SGD, which undoes the drift that skewed data causes.
#pragma once
#include <algorithm>
#include <vector>

#include "host/nodes.h"
#include "host/row_blocks.h"
#include "kernels/statistics.h"

namespace sparsepush {

/// The error memory is dropped before the first final round.
template <class Backend>
void drop_error_memory(Nodes<Backend>& n) {
  clear(n.backend, n.error->view().data, n.error->span().size_bytes());
}

/// One final round by gossip, planned with eta = 1: X <- P X, u <- P u.
template <class Backend>
void final_gossip(Nodes<Backend>& n, const PlannedRound& round) {
  dense_round(n, round);
}

/// Books an all-reduce along a chain of the nodes and back: 2 (N - 1) dense messages a replica.
template <class Backend>
void count_all_reduce(Nodes<Backend>& n) {
  const int last = n.shard.all_nodes - 1;
  std::vector<std::int64_t> copies;
  for (int row = 0; row < n.shard.rows(); ++row) {
    const int node = n.shard.id_of(row).node;
    copies.push_back((node < last) + (node > 0));
  }
  const Buffer<Backend, std::int64_t> sent(n.backend, copies);
  n.count_dense_wire(sent.span());
  n.count_messages(std::vector<std::int64_t>(n.shard.replicas, 2 * last), true);
}

/// The final round by all-reduce: x_i = (float)(sum x / sum u), u_i = 1; sums in double, in node order.
template <class Backend>
void final_all_reduce(Nodes<Backend>& n) {
  const int nodes = n.shard.nodes();
  std::vector<double> u(n.shard.all_rows());
  n.transport.gather(n.u.to_host(), u);
  for (int r = 0; r < n.shard.replicas; ++r) {
    const auto rows = n.x.view().rows_from(r * nodes, nodes);
    std::vector<double> sums(n.layout.row);
    n.transport.sum_in_order(sums, [&](std::span<double> s) { add_rows(n.backend, rows, s); });
    double u_sum = 0;
    for (int i = 0; i < n.shard.all_nodes; ++i) u_sum += u[r * n.shard.all_nodes + i];
    fill_rows(n.backend, rows, [&](int, float* row) {
      std::ranges::transform(sums, row, [u_sum](double s) { return static_cast<float>(s / u_sum); });
    });
  }
  n.u.assign(std::vector<double>(n.shard.rows(), 1.0));
  count_all_reduce(n);
}

}  // namespace sparsepush
