// Merging of the models after the last SGD step, of methods whose row has a final message.
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
  if (!n.state.has(state::error)) return;
  const MatrixView<float> error = n[state::error];
  clear(n.backend, error.data, error.size() * sizeof(float));
}

/// One final round by gossip, planned with eta = 1: X <- P X, u <- P u.
template <class Backend>
void final_gossip(Nodes<Backend>& n, const PlannedRound& round) {
  keep_push_weights(n);
  send(n, round, *n.final_message);
  mix(n, round, state::x, state::x);
  mix_push_weights(n, round);
}

/// Counts an exact mean over the nodes of each replica: along a chain of them and back, 2 (N - 1) messages.
template <class Backend>
void count_mean(Nodes<Backend>& n, const Outgoing<Backend>& outgoing) {
  const int last = n.shard.all_nodes - 1;
  std::vector<std::int64_t> copies;
  for (int row = 0; row < n.shard.rows(); ++row) {
    const int node = n.shard.id_of(row).node;
    copies.push_back((node < last) + (node > 0));
  }
  const Buffer<Backend, std::int64_t> sent(n.backend, copies);
  n.count(outgoing, sent.span());
}

/// The final round by all-reduce: x_i = (float)(sum x / sum u), u_i = 1; sums in double, in node order.
template <class Backend>
void final_all_reduce(Nodes<Backend>& n) {
  const int nodes = n.shard.nodes();
  std::vector<double> u(n.shard.all_rows());
  n.transport.gather(n.to_host(state::u), u);
  for (int r = 0; r < n.shard.replicas; ++r) {
    const auto x = n[state::x].rows_from(r * nodes, nodes);
    std::vector<double> sums(n.layout.row);
    n.transport.sum_in_order(sums, [&](std::span<double> s) { add_rows(n.backend, x, s); });
    double u_sum = 0;
    for (int i = 0; i < n.shard.all_nodes; ++i) u_sum += u[r * n.shard.all_nodes + i];
    fill_rows(n.backend, x, [&](int, float* row) {
      std::ranges::transform(sums, row, [u_sum](double s) { return static_cast<float>(s / u_sum); });
    });
  }
  n.assign(state::u, std::vector<double>(n.shard.rows(), 1.0));
  count_mean(n, *n.final_message);
}

}  // namespace sparsepush
