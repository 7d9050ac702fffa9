// DeepSqueeze (Tang et al. 2019, [DeepSqueeze]): error-compensated compressed gossip of parameters with doubly
// stochastic weights. Sparse-Push without push-sum; where u stays 1 both have the same bits.
#pragma once
#include "host/recipe/methods.h"
#include "host/state/verbs.h"

namespace sparsepush {

template <class Backend>
void deep_squeeze(Nodes<Backend>& n, const PlannedRound& round) {
  update_and_compress(n);            // X' = X - a G(X);  V = X' + E;  Q = C(V);  E <- V - Q
  send_and_mix(n, round, state::x);  // X+ = X' + eta (W - I) Q
}

inline Method deep_squeeze_row() {
  return {.name = "deep_squeeze",
          .colour = "#e69f00",
          .state = {&state::error},
          .message = Message{.arrays = {}, .compressed = true},
          .needs = {.doubly_stochastic = true},
          .keys = {"averaging_rate", "local_steps", "compress"},
          .play = [](auto& n, const PlannedRound& round) { deep_squeeze(n, round); }};
}

}  // namespace sparsepush
