// Stochastic gradient descent with momentum: heavy ball, and Nesterov's form of it as PyTorch has it.
#pragma once
#include "host/recipe/optimizers.h"
#include "host/state/nodes.h"

namespace sparsepush {

inline Optimizer heavy_ball_row() {
  return {.name = "heavy_ball", .state = {&state::momentum}, .fuses = true, .step = [](auto& nodes) {
            sgd_update(nodes.backend, nodes.backend_layout, nodes.sgd());
          }};
}

inline Optimizer nesterov_row() {
  Optimizer row = heavy_ball_row();
  row.name = "nesterov";
  row.nesterov = true;
  return row;
}

}  // namespace sparsepush
