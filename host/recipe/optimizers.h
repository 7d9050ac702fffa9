// The table of optimizers: the valid names, and all that the rest of the program knows about each.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "data/table.h"
#include "host/recipe/on_both_backends.h"
#include "host/recipe/schedule.h"
#include "kernels/nodes/sgd_update.h"
#include "kernels/nodes/state.h"

namespace sparsepush {

/// An optimizer: X' = X - a D, with its own way from the gradient at Z to D.
struct Optimizer {
  std::string name;
  StateList state;
  std::vector<std::string> keys = {};  ///< keys of [optimizer] that count for it alone
  bool fuses = false;           ///< is SGD with momentum, whose step update_select and update_mix do in their own pass
  bool nesterov = false;        ///< whether that momentum is Nesterov's
  bool follows_mixing = false;  ///< momentum sees what messages do to parameters
  bool preconditions = false;   ///< nodes scale their steps by their own gradients
  /// Completes the settings of step t, in which lr, momentum and weight decay are set already; empty: that is all.
  std::function<void(const OptimizerConfig&, const Schedule&, std::int64_t t, SgdSettings&)> adjust = {};
  OnBothBackends<> step;
};

/// Lists all optimizers.
const std::vector<Optimizer>& optimizers();

}  // namespace sparsepush
