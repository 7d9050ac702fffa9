// D-PSGD (Lian et al. 2017, [DPSGD]): dense gossip with doubly stochastic weights, so that u stays 1. The paper writes
// X W - a G; as everywhere here, nodes mix after the step.
#pragma once
#include "host/recipe/methods.h"
#include "host/state/verbs.h"

namespace sparsepush {

template <class Backend>
void d_psgd(Nodes<Backend>& n, const PlannedRound& round) {
  update_and_mix(n, round);  // X' = X - a G(X);  X+ = X' + eta (W - I) X'
}

inline Method d_psgd_row() {
  return {.name = "d_psgd",
          .colour = "#56b4e9",
          .message = Message{{&state::x}},
          .needs = {.doubly_stochastic = true},
          .keys = {"averaging_rate", "local_steps"},
          .averaging_rate = 1.0,
          .play = [](auto& n, const PlannedRound& round) { d_psgd(n, round); }};
}

}  // namespace sparsepush
