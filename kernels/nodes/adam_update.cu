#include "kernels/nodes/adam_element.h"
#include "kernels/nodes/adam_update.h"
#include "kernels/nodes/step_rows_kernel.h"

namespace sparsepush {

void adam_update(const Cuda& gpu, const CudaLayout& layout, const AdamUpdate& update) {
  check_adam_update_shapes(layout.host(), update);
  step_rows<AdamRule>(gpu, layout, update.sgd, update.second_moment);
}

}  // namespace sparsepush
