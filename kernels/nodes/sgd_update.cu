#include "kernels/nodes/sgd_update.h"
#include "kernels/nodes/step_rows_kernel.h"

namespace sparsepush {

void sgd_update(const Cuda& gpu, const CudaLayout& layout, const SgdUpdate& update) {
  check_sgd_update_shapes(layout.host(), update);
  update.nesterov ? step_rows<SgdRule<true>>(gpu, layout, update) : step_rows<SgdRule<false>>(gpu, layout, update);
}

}  // namespace sparsepush
