#include "host/recipe/optimizers.h"

#include "host/optimizers/adam.h"
#include "host/optimizers/quasi_global.h"
#include "host/optimizers/sgd.h"

namespace sparsepush {

const std::vector<Optimizer>& optimizers() {
  static const std::vector<Optimizer> table = {heavy_ball_row(), nesterov_row(), quasi_global_row(), adam_row()};
  return table;
}

}  // namespace sparsepush
