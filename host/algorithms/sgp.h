// Stochastic Gradient Push (Assran et al. 2019, [SGP] Alg. 1): dense gossip of push-sum numerators.
#pragma once
#include "host/nodes.h"
#include "kernels/update_mix.h"

namespace sparsepush {

/// X' = X - a G(Z);  X+ = X' + eta (P - I) X';  u+ = u + eta (P - I) u;  Z+ = X+ / u+.  With eta = 1: X+ = P X', u+ = P
/// u. Where all nodes are local, X' of a node need not be sent anywhere: one pass takes X to X+.
template <class Backend>
void sgp(Nodes<Backend>& n, const PlannedRound& round) {
  if (n.shard.shards > 1) {
    local_step(n);
    dense_round(n, round);
  } else {
    update_mix(n.backend, n.backend_layout, {.sgd = n.sgd(), .edges = round.edges});
    n.send_rows(round);  // counts them and keeps u; no row is remote
    n.mix_push_weights(round);
  }
}

}  // namespace sparsepush
