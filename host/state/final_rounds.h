// Merging of the models after the last SGD step, of methods whose row has a final message.
#pragma once
#include <vector>

#include "host/state/verbs.h"

namespace sparsepush {

/// Drops the error memory, before the first final round.
template <class Backend>
void drop_error_memory(Nodes<Backend>& n) {
  if (!n.state.has(state::error)) return;
  const MatrixView<float> error = n[state::error];
  clear(n.backend, error.data, error.size() * sizeof(float));
}

/// Plays one final round by gossip, planned with eta = 1: X <- P X, u <- P u.
template <class Backend>
void final_gossip(Nodes<Backend>& n, const PlannedRound& round) {
  keep_push_weights(n);
  send(n, round, *n.final_message);
  mix(n, round, state::x, state::x);
  mix_push_weights(n, round);
}

/// Plays the final round by all-reduce: x_i = (float)(sum x / sum u), u_i = 1.
template <class Backend>
void final_all_reduce(Nodes<Backend>& n) {
  average(n, state::x, *n.final_message);
  n.assign(state::u, std::vector<double>(n.shard.rows(), 1.0));
}

}  // namespace sparsepush
