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

/// X' = X - a D with an own way from the gradient at Z to D.
struct Optimizer {
  std::string name;
  StateList state;
  std::vector<std::string> keys = {};  ///< of [optimizer] that count for it alone
  bool fuses = false;           ///< is SGD with momentum, whose step update_select and update_mix do in their own pass
  bool nesterov = false;        ///< of that
  bool follows_mixing = false;  ///< its momentum sees what messages do to parameters
  bool preconditions = false;   ///< nodes scale their steps by their own gradients
  /// Renews the settings of step t, which have lr, momentum and weight decay; none: that is all.
  std::function<void(const OptimizerConfig&, const Schedule&, std::int64_t t, SgdSettings&)> adjust = {};
  OnBothBackends<> step;
};

/// Lists all optimizers.
const std::vector<Optimizer>& optimizers();

}  // namespace sparsepush
