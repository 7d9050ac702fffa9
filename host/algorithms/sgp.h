// Stochastic Gradient Push (Assran et al. 2019, [SGP]): dense gossip of push-sum numerators.
#pragma once
#include "host/recipe/methods.h"
#include "host/state/verbs.h"

namespace sparsepush {

/// Steps and mixes. With eta = 1: X+ = P X', u+ = P u.
template <class Backend>
void sgp(Nodes<Backend>& n, const PlannedRound& round) {
  keep_push_weights(n);
  update_and_mix(n, round);    // X' = X - a G(Z);  X+ = X' + eta (P - I) X'
  mix_push_weights(n, round);  // u+ = u + eta (P - I) u;  Z+ = X+ / u+
}

inline Method sgp_row() {
  return {.name = "sgp",
          .colour = "#0072b2",
          .message = Message{{&state::x, &state::sent_u}},
          .keys = {"averaging_rate", "local_steps"},
          .averaging_rate = 1.0,
          .play = [](auto& n, const PlannedRound& round) { sgp(n, round); }};
}

}  // namespace sparsepush
