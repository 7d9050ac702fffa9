// SGP that shares one block of the model a round: the next block in the next round, each with push-sum weights of its
// own. Messages are as many times shorter as there are blocks; what is mixed is mixed whole, so that nothing is left
// out.
#pragma once
#include "host/recipe/methods.h"
#include "host/state/verbs.h"

namespace sparsepush {

inline constexpr Array<double> block_u({.name = "block_u", .width = blocks, .start = 1});
inline constexpr Array<float> block({.name = "block", .width = longest_block, .saved = false});

/// Steps, and mixes one block. No one number makes z of a row, so that z stands in memory; u stays 1.
template <class Backend>
void shared_block(Nodes<Backend>& n, const PlannedRound& round) {
  local_step(n);               // X' = X - a G(Z)
  cut_block(n, round, block);  // block t mod B of X', and its u
  send_and_mix(n, round, [&](MixedNodes nodes) {
    mix_block(n, round, block, nodes);  // X+ = P X' and u+ = P u there
  });
}

inline Method shared_block_row() {
  return {.name = "shared_block",
          .colour = "#b2203f",
          .state = {&block_u, &state::z},
          .message = Message{{&block, &state::sent_u}},
          .keys = {"local_steps", "blocks"},
          .averaging_rate = 1.0,
          .fixed_rate = true,
          .block_weights = &block_u,
          .play = [](auto& n, const PlannedRound& round) { shared_block(n, round); }};
}

}  // namespace sparsepush
