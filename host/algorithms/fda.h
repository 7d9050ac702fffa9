// Federated Dynamic Averaging (Theologitis et al. 2024, [FDA]): nodes train alone and take the mean of all parameters
// where the variance of their models may exceed a threshold. For that they tell each other two numbers in every step.
#pragma once
#include "host/recipe/methods.h"
#include "host/state/trigger.h"
#include "host/state/verbs.h"

namespace sparsepush {

constexpr std::int64_t two(const Extent&) { return 2; }
/// What nodes had in common last, and the direction in which that went from what they had in common before. Theirs
/// draws one before the first mean; here it is 0.
inline constexpr Array<float> reference({.name = "reference", .per = Per::kReplica, .starts_as = &state::x});
inline constexpr Array<float> heading({.name = "heading", .per = Per::kReplica});
inline constexpr Array<float> drift({.name = "drift", .width = two, .saved = false});

template <class Backend>
void fda(Nodes<Backend>& n, const PlannedRound&) {
  local_step(n);                                // X' = X - a G(X)
  measure_drift(n, reference, heading, drift);  // S_i = (|D_i|^2, <heading, D_i>),  D_i = X'_i - reference
  flag_due(n, drift);                           // mean S_1 - (mean S_2)^2 > threshold
  when_due(n, [&](Due due) {
    average(n, state::x, *n.message, due);       // X+ = the mean of X'
    move_reference(n, reference, heading, due);  // heading = (X+ - reference) / |X+ - reference|,  reference = X+
  });
}

inline Method fda_row() {
  return {.name = "fda",
          .colour = "#7f6bd1",
          .state = {&reference, &heading, &drift, &state::syncs},
          .message = Message{{&state::x}},
          .monitor = Message{{&drift}},
          .needs = {.topology = false},
          .keys = {"monitor", "threshold"},
          .play = [](auto& n, const PlannedRound& round) { fda(n, round); }};
}

}  // namespace sparsepush
