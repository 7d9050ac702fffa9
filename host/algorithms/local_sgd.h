// Local SGD (Stich 2018, [LocalSGD]): nodes train alone and take the mean of all parameters every `local_steps` steps.
// Momentum stays with its node.
#pragma once
#include "host/recipe/methods.h"
#include "host/state/verbs.h"

namespace sparsepush {

template <class Backend>
void local_sgd(Nodes<Backend>& n, const PlannedRound&) {
  local_step(n);                     // X' = X - a G(X)
  average(n, state::x, *n.message);  // X+ = the mean of X'
}

inline Method local_sgd_row() {
  return {.name = "local_sgd",
          .colour = "#8a8a2e",
          .message = Message{{&state::x}},
          .needs = {.topology = false},
          .keys = {"local_steps"},
          .play = [](auto& n, const PlannedRound& round) { local_sgd(n, round); }};
}

}  // namespace sparsepush
