// Stochastic Gradient Push (Assran et al. 2019, [SGP] Alg. 1): dense gossip of push-sum numerators.
#pragma once
#include "host/nodes.h"

namespace sparsepush {

/// X' = X - a G(Z);  X+ = X' + eta (P - I) X';  u+ = u + eta (P - I) u;  Z+ = X+ / u+.  With eta = 1: X+ = P X', u+ = P
/// u.
template <class Backend>
void sgp(Nodes<Backend>& n, const PlannedRound& round) {
  local_step(n);
  dense_round(n, round);
}

}  // namespace sparsepush
