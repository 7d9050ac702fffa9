// Sparse-Push, our reading of Aketi, Singh and Rabaey 2021 ([SparsePush]): DeepSqueeze over push-sum. Parameters plus
// error memory are compressed, not gradients; push-sum weights travel uncompressed with the same averaging rate. No
// copies of neighbours exist, so it is valid on directed topologies that vary with time.
#pragma once
#include "host/recipe/methods.h"
#include "host/state/verbs.h"

namespace sparsepush {

template <class Backend>
void sparse_push(Nodes<Backend>& n, const PlannedRound& round) {
  update_and_compress(n);  // X' = X - a G(Z);  V = X' + E;  Q = C(V);  E <- V - Q
  keep_push_weights(n);
  send_and_mix(n, round, state::x);  // X+ = X' + eta (P - I) Q
  mix_push_weights(n, round);        // u+ = u + eta (P - I) u;  Z+ = X+ / u+
}

inline Method sparse_push_row() {
  return {.name = "sparse_push",
          .colour = "#d55e00",
          .state = {&state::error},
          .message = Message{{&state::sent_u}, true},
          .keys = {"averaging_rate", "local_steps", "compress"},
          .play = [](auto& n, const PlannedRound& round) { sparse_push(n, round); }};
}

}  // namespace sparsepush
