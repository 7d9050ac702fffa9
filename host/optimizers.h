// The table of optimizers: the valid names, and all that the rest of the program knows about each.
#pragma once
#include <string>
#include <vector>

#include "data/table.h"
#include "host/on_both_backends.h"
#include "kernels/state.h"

namespace sparsepush {

/// X' = X - a D with an own way from the gradient at Z to D.
struct Optimizer {
  std::string name;
  StateList state;
  bool nesterov = false;  ///< of SGD with momentum, which ops that do more in the same pass know
  OnBothBackends<> step;
};

const std::vector<Optimizer>& optimizers();

}  // namespace sparsepush
