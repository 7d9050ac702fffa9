#include "kernels/nodes/quasi_global_update.h"

#include "kernels/backend/check.h"
#include "kernels/nodes/quasi_global_element.h"
#include "kernels/nodes/step_rows.h"

namespace sparsepush {

void check_quasi_global_update_shapes(const RowLayout& layout, const QuasiGlobalUpdate& update) {
  check_sgd_update_shapes(layout, update.sgd);
  CHECK(update.last_z.rows == update.sgd.x.rows && update.last_z.cols == update.sgd.x.cols, "last_z ", update.last_z,
        ", x ", update.sgd.x);
}

void quasi_global_update(const Cpu& cpu, const RowLayout& layout, const QuasiGlobalUpdate& update) {
  check_quasi_global_update_shapes(layout, update);
  step_rows<QuasiGlobalRule>(cpu, layout, update.sgd, update.last_z);
}

}  // namespace sparsepush
