#include "kernels/check.h"
#include "kernels/select_kernel.h"
#include "kernels/sgd_kernel.h"
#include "kernels/update_select.h"

namespace sparsepush {

void update_select(const Cuda& gpu, SelectionMemory<Cuda>& memory, const UpdateSelect& round) {
  check_update_select_shapes(memory.layout(), memory.plans(), round);
  CHECK(memory.nodes() == round.error.rows, "memory of ", memory.nodes(), " nodes, error ", round.error);
  if (round.error.size() == 0) return;
  run_sgd(gpu, memory.cuda_layout(), round.sgd, round.error);
  run_selection(gpu, memory, round.error, round.messages);
}

}  // namespace sparsepush
