// D2 (Tang et al. 2018, [D2]): gossip of parameters that comes to the minimum of all objectives however they differ. In
// the form with a correction: what mixing has added to a node so far is added in every step.
#pragma once
#include "host/recipe/methods.h"
#include "host/state/verbs.h"

namespace sparsepush {

inline constexpr Array<float> correction({.name = "correction"});

/// Steps, corrects, and mixes by differences: corrections are never damped, and the rounding of parameters, which are
/// larger, would add up in them.
template <class Backend>
void d2(Nodes<Backend>& n, const PlannedRound& round) {
  local_step(n);                                // X' = X - a G(X)
  add(n, state::x, correction);                 // X'' = X' + C
  const Array<float>& added = state::gradient;  // which has had its use
  send_and_mix(n, round, [&](MixedNodes nodes) { mix_differences(n, round, added, state::x, nodes); });
  add(n, state::x, added);    // X+ = X'' + eta (W - I) X''
  add(n, correction, added);  // C+ = C + eta (W - I) X''
}

/// Needs self weights above 1/3: they keep all eigenvalues above -1/3, below which the iteration is not stable.
inline Method d2_row() {
  return {.name = "d2",
          .colour = "#5f7f8c",
          .state = {&correction},
          .message = Message{{&state::x}},
          .needs = {.is_static = true, .symmetric = true, .self_weight = 1.0 / 3},
          .keys = {"averaging_rate"},
          .averaging_rate = 0.5,
          .corrects_drift = true,
          .play = [](auto& n, const PlannedRound& round) { d2(n, round); }};
}

}  // namespace sparsepush
