#include "kernels/nodes/adam_update.h"

#include "kernels/backend/check.h"
#include "kernels/nodes/adam_element.h"
#include "kernels/nodes/step_rows.h"

namespace sparsepush {

void check_adam_update_shapes(const RowLayout& layout, const AdamUpdate& update) {
  check_sgd_update_shapes(layout, update.sgd);
  CHECK(update.second_moment.rows == update.sgd.x.rows && update.second_moment.cols == update.sgd.x.cols,
        "second_moment ", update.second_moment, ", x ", update.sgd.x);
}

void adam_update(const Cpu& cpu, const RowLayout& layout, const AdamUpdate& update) {
  check_adam_update_shapes(layout, update);
  step_rows<AdamRule>(cpu, layout, update.sgd, update.second_moment);
}

}  // namespace sparsepush
