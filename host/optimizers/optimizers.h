// The table of optimizers: the valid names, and all that the rest of the program knows about each.
#pragma once
#include <string>
#include <vector>

#include "data/table.h"
#include "host/algorithms/on_both_backends.h"
#include "kernels/nodes/state.h"

namespace sparsepush {

/// X' = X - a D with an own way from the gradient at Z to D.
struct Optimizer {
  std::string name;
  StateList state;
  bool fuses = false;     ///< is SGD with momentum, whose step update_select and update_mix do in their own pass
  bool nesterov = false;  ///< of that
  OnBothBackends<> step;
};

const std::vector<Optimizer>& optimizers();

}  // namespace sparsepush
