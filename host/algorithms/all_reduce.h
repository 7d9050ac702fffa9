// All-reduce SGD: every node steps along the mean of all gradients. What decentralized methods are measured against.
#pragma once
#include "host/recipe/methods.h"
#include "host/state/verbs.h"

namespace sparsepush {

/// Steps along the mean of all gradients. Nodes that start equal stay equal in every bit.
template <class Backend>
void all_reduce(Nodes<Backend>& n, const PlannedRound&) {
  average(n, state::gradient, *n.message);  // G(Z) <- its mean over the nodes
  local_step(n);                            // X+ = X - a G(Z)
}

inline Method all_reduce_row() {
  return {.name = "all_reduce",
          .colour = "currentColor",
          .message = Message{{&state::gradient}},
          .needs = {.topology = false},
          .steps_alike = true,
          .play = [](auto& n, const PlannedRound& round) { all_reduce(n, round); }};
}

}  // namespace sparsepush
