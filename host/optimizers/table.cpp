#include "host/optimizers/optimizers.h"
#include "host/optimizers/sgd.h"

namespace sparsepush {

const std::vector<Optimizer>& optimizers() {
  static const std::vector<Optimizer> table = {heavy_ball_row(), nesterov_row()};
  return table;
}

}  // namespace sparsepush
