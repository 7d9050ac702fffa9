// Sparse-Push, our reading of Aketi, Singh and Rabaey 2021 ([SparsePush]): DeepSqueeze over push-sum. Parameters plus
// error memory are compressed, not gradients; push-sum weights travel uncompressed with the same averaging rate. No
// copies of neighbours exist, so it is valid on directed topologies that vary with time.
#pragma once
#include "host/nodes.h"

namespace sparsepush {

template <class Backend>
void sparse_push(Nodes<Backend>& n, const PlannedRound& round) {
  // X' = X - a G(Z);  V = X' + E;  Q = C(V) per segment;  E <- V - Q
  n.update_and_select();
  n.send_messages(round);
  // X+ = X' + eta (P - I) Q
  push_sum_mix(n.backend,
               {.x = n.x.view(), .messages = n.messages(), .entries = n.entries->span(), .edges = round.edges});
  // u+ = u + eta (P - I) u;  Z+ = X+ / u+
  n.mix_push_weights(round);
}

}  // namespace sparsepush
