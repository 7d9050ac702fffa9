#include "kernels/nodes/sgd_update.h"

#include "kernels/backend/check.h"
#include "kernels/nodes/step_rows.h"

namespace sparsepush {

void check_sgd_update_shapes(const RowLayout& layout, const SgdUpdate& update) {
  const int nodes = update.x.rows;
  CHECK(update.x.cols == layout.row, "x ", update.x, ", row ", layout.row);
  CHECK(update.momentum.rows == nodes && update.momentum.cols == update.x.cols, "momentum ", update.momentum, ", x ",
        update.x);
  CHECK(update.gradient.rows == nodes && update.gradient.cols == update.x.cols, "gradient ", update.gradient, ", x ",
        update.x);
  for (const MatrixView<const float>& more : {update.z, MatrixView<const float>(update.steps)})
    CHECK(!more.data || (more.rows == nodes && more.cols == update.x.cols), "z or steps ", more, ", x ", update.x);
  CHECK(update.u.size() == static_cast<std::size_t>(nodes), "u [", update.u.size(), "], nodes ", nodes);
  CHECK(!update.settings.empty() && nodes % update.settings.size() == 0, "settings [", update.settings.size(),
        "], nodes ", nodes);
  CHECK(update.diverged.size() == static_cast<std::size_t>(nodes), "diverged [", update.diverged.size(), "], nodes ",
        nodes);
}

void sgd_update(const Cpu& cpu, const RowLayout& layout, const SgdUpdate& update) {
  check_sgd_update_shapes(layout, update);
  update.nesterov ? step_rows<SgdRule<true>>(cpu, layout, update) : step_rows<SgdRule<false>>(cpu, layout, update);
}

}  // namespace sparsepush
