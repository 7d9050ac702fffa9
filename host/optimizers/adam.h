// Adam (Kingma and Ba 2014, [Adam]). The push-sum weight enters through z alone.
#pragma once
#include <cmath>

#include "host/recipe/optimizers.h"
#include "host/state/nodes.h"
#include "kernels/nodes/adam_update.h"

namespace sparsepush {

inline constexpr Array<float> second_moment({.name = "second_moment"});

/// Adjusts settings to Adam, the moments' bias after t + 1 steps taken out of rate and root.
inline void adjust_to_adam(const OptimizerConfig& optimizer, const Schedule& schedule, std::int64_t t,
                           SgdSettings& settings) {
  const auto taken = [t](double kept) { return 1 - std::pow(kept, static_cast<double>(t + 1)); };
  settings.lr = static_cast<float>(schedule.learning_rate(t, optimizer) / taken(optimizer.momentum));
  settings.one_minus_beta1 = static_cast<float>(1 - optimizer.momentum);
  settings.beta2 = static_cast<float>(optimizer.beta2);
  settings.one_minus_beta2 = static_cast<float>(1 - optimizer.beta2);
  settings.inverse_root_correction2 = static_cast<float>(1 / std::sqrt(taken(optimizer.beta2)));
  settings.epsilon = static_cast<float>(optimizer.epsilon);
}

inline Optimizer adam_row() {
  return {.name = "adam",
          .state = {&state::momentum, &second_moment},
          .keys = {"beta2", "epsilon"},
          .preconditions = true,
          .adjust = adjust_to_adam,
          .step = [](auto& nodes) {
            adam_update(nodes.backend, nodes.backend_layout, {nodes.sgd(), nodes[second_moment]});
          }};
}

}  // namespace sparsepush
