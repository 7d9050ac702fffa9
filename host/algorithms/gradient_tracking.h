// Gradient tracking over doubly stochastic weights, and over column-stochastic ones with push-sum: DIGing and
// Push-DIGing (Nedić, Olshevsky, Shi 2016, [DIGing]). Each node follows the mean gradient by mixing what changes in its
// own. They write W X - a Y; as everywhere here, nodes mix after the step: the same fixed points, another way there.
#pragma once
#include "host/recipe/methods.h"
#include "host/state/verbs.h"

namespace sparsepush {

inline constexpr Array<float> tracker({.name = "tracker"});
inline constexpr Array<float> last_gradient({.name = "last_gradient"});

/// Takes the step along the tracker: Y' = Y + (G - G of the last step), the first time G itself; X' = X - a Y', in
/// which weight decay counts as in any step.
template <class Backend>
void tracking_step(Nodes<Backend>& n) {
  subtract(n, state::gradient, last_gradient, last_gradient);
  add(n, tracker, last_gradient);
  copy_rows(n, state::gradient, last_gradient);
  copy_rows(n, tracker, state::gradient);
  local_step(n);
}

/// Mixes x and the trackers, whose sum over the nodes stays that of the last gradients.
template <class Backend>
void mix_with_tracker(Nodes<Backend>& n, const PlannedRound& round) {
  send(n, round);
  mix(n, round, state::x, state::x);  // X+ = X' + eta (P - I) X'
  mix(n, round, tracker, tracker);    // Y+ = Y' + eta (P - I) Y'
}

/// Steps along the tracker and mixes, over doubly stochastic weights.
template <class Backend>
void gradient_tracking(Nodes<Backend>& n, const PlannedRound& round) {
  tracking_step(n);
  mix_with_tracker(n, round);
}

/// Does the same over push-sum: the tracker is pushed like the numerators, but never divided by u.
template <class Backend>
void push_gradient_tracking(Nodes<Backend>& n, const PlannedRound& round) {
  keep_push_weights(n);
  tracking_step(n);
  mix_with_tracker(n, round);
  mix_push_weights(n, round);
}

inline Method gradient_tracking_row() {
  return {.name = "gradient_tracking",
          .colour = "#a6611a",
          .state = {&tracker, &last_gradient},
          .message = Message{{&state::x, &tracker}},
          .needs = {.doubly_stochastic = true},
          .keys = {"averaging_rate"},
          .averaging_rate = 1.0,
          .corrects_drift = true,
          .play = [](auto& n, const PlannedRound& round) { gradient_tracking(n, round); }};
}

inline Method push_gradient_tracking_row() {
  return {.name = "push_gradient_tracking",
          .colour = "#3f97a8",
          .state = {&tracker, &last_gradient},
          .message = Message{{&state::x, &tracker, &state::sent_u}},
          .keys = {"averaging_rate"},
          .averaging_rate = 1.0,
          .corrects_drift = true,
          .play = [](auto& n, const PlannedRound& round) { push_gradient_tracking(n, round); }};
}

}  // namespace sparsepush
