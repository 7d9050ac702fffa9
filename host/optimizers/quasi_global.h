// SGD with quasi-global momentum (Lin, Karimireddy, Stich, Jaggi 2021, [QGM]): momentum follows how z moves from step
// to step, which mixing has a part in, and so leads where all nodes go. At rest it is 0.
#pragma once
#include "host/recipe/optimizers.h"
#include "host/state/nodes.h"
#include "kernels/nodes/quasi_global_update.h"

namespace sparsepush {

inline constexpr Array<float> last_z({.name = "last_z"});

/// Adjusts settings to quasi-global momentum. Before the first step, and after one with lr 0, there is nothing to
/// follow.
inline void adjust_to_quasi_global(const OptimizerConfig& optimizer, const Schedule& schedule, std::int64_t t,
                                   SgdSettings& settings) {
  const double last = t == 0 ? 0 : schedule.learning_rate(t - 1, optimizer);
  settings.inverse_lr = last == 0 ? 0 : static_cast<float>((1 - optimizer.momentum) / last);
}

inline Optimizer quasi_global_row() {
  return {.name = "quasi_global",
          .state = {&state::momentum, &last_z},
          .follows_mixing = true,
          .adjust = adjust_to_quasi_global,
          .step = [](auto& nodes) {
            quasi_global_update(nodes.backend, nodes.backend_layout, {nodes.sgd(), nodes[last_z]});
          }};
}

}  // namespace sparsepush
