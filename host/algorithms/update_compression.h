// Error memory of updates: nodes send what their own steps have added up to, so that nothing reaches beyond one hop.
#pragma once
#include "host/recipe/methods.h"
#include "host/state/verbs.h"

namespace sparsepush {

/// Steps, and mixes what steps have added up to. X itself is not mixed, and so u is not either: it stays 1.
template <class Backend>
void push_updates(Nodes<Backend>& n, const PlannedRound& round) {
  local_step(n);                     // X' = X - a D;  E' = E - a D, as in steps without a round
  compress(n, state::error);         // Q = C(E');  E+ = E' - Q
  send_and_mix(n, round, state::x);  // X+ = X' + eta (P - I) Q
}

}  // namespace sparsepush
