#include "kernels/nodes/quasi_global_element.h"
#include "kernels/nodes/quasi_global_update.h"
#include "kernels/nodes/step_rows_kernel.h"

namespace sparsepush {

void quasi_global_update(const Cuda& gpu, const CudaLayout& layout, const QuasiGlobalUpdate& update) {
  check_quasi_global_update_shapes(layout.host(), update);
  step_rows<QuasiGlobalRule>(gpu, layout, update.sgd, update.last_z);
}

}  // namespace sparsepush
