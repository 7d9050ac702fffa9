// CHOCO-SGD over push-sum (Koloskova et al. 2019, [CHOCO]): nodes send the compressed difference to a public copy of
// their parameters, which sender and receivers keep alike.
#pragma once
#include "host/recipe/methods.h"
#include "host/state/verbs.h"

namespace sparsepush {

/// H: where all nodes are local, one row serves the sender and its receivers; a shard also keeps the copies of remote
/// in-neighbours. No sum of neighbours' copies is kept, which exact arithmetic would not need either.
inline constexpr Array<float> public_copy({.name = "public_copy", .per = Per::kSlot});
inline constexpr Array<float> difference({.name = "difference", .saved = false});

/// Steps, sends the compressed difference to the public copy, and mixes public copies.
template <class Backend>
void choco(Nodes<Backend>& n, const PlannedRound& round) {
  local_step(n);  // X' = X - a G(Z)
  subtract(n, state::x, public_copy, difference);
  compress(n, difference);  // Q = C(X' - H)
  keep_push_weights(n);
  send_and_mix(n, round, [&](MixedNodes nodes) {
    add_messages(n, public_copy, nodes);          // H <- H + Q
    mix(n, round, state::x, public_copy, nodes);  // X+ = X' + eta (P - I) H
  });
  mix_push_weights(n, round);  // u+ = u + eta (P - I) u;  Z+ = X+ / u+
}

/// Needs the same edges in every round: on a topology that varies, a node would have no copy of a neighbour that is new
/// to it.
inline Method choco_row() {
  return {.name = "choco",
          .colour = "#cc79a7",
          .state = {&public_copy, &difference},
          .message = Message{{&state::sent_u}, true},
          .needs = {.is_static = true},
          .keys = {"averaging_rate", "local_steps"},
          .play = [](auto& n, const PlannedRound& round) { choco(n, round); }};
}

}  // namespace sparsepush
