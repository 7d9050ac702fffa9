// No communication: every node trains alone on its own data. The lower bound of every comparison.
#pragma once
#include "host/recipe/methods.h"
#include "host/state/verbs.h"

namespace sparsepush {

/// Takes the step X' = X - a G(Z); nothing is sent.
template <class Backend>
void none(Nodes<Backend>& n, const PlannedRound&) {
  local_step(n);
}

inline Method none_row() {
  return {.name = "none", .keys = {"local_steps"}, .play = [](auto& n, const PlannedRound& round) { none(n, round); }};
}

}  // namespace sparsepush
