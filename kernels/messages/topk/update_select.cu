#include "kernels/backend/check.h"
#include "kernels/messages/topk/select_kernel.h"
#include "kernels/messages/topk/update_select.h"
#include "kernels/nodes/sgd_kernel.h"

namespace sparsepush {
namespace {

/// One node's arrays.
template <bool kNesterov>
struct UpdatedRow {
  NodeStep step;
  float *x, *momentum, *error;
  const float* gradient;
  std::uint8_t* diverged;

  /// Replaces e by v = x + e after the step.
  __device__ Quad load(int quad, int live) const {
    Quad v = load_quad(error, quad);
    const Quad next = step_quad<kNesterov>(step, {x, momentum, gradient}, quad, live);
    store_quad(next, x, quad);
    for_each_lane(live, [&](int lane) { v.lane[lane] = __fadd_rn(next.lane[lane], v.lane[lane]); });
    store_quad(v, error, quad);
    if (!is_finite(v)) *diverged = 1;  // by several threads, with the same value
    return v;
  }
};

/// The rows are v = x + e after the SGD step, written to e.
template <bool kNesterov>
struct UpdatedRows {
  SgdUpdate sgd;
  MatrixView<float> error;

  __device__ UpdatedRow<kNesterov> row(int node) const {
    return {node_step(sgd, node), sgd.x.row(node),        sgd.momentum.row(node),
            error.row(node),      sgd.gradient.row(node), &sgd.diverged[node]};
  }
};

}  // namespace

void update_select(const Cuda& gpu, SelectionMemory<Cuda>& memory, const UpdateSelect& round) {
  check_update_select_shapes(memory.layout(), memory.plans(), round);
  CHECK(memory.nodes() == round.error.rows, "memory of ", memory.nodes(), " nodes, error ", round.error);
  if (round.error.size() == 0) return;
  if (round.sgd.nesterov)
    run_selection(gpu, memory, UpdatedRows<true>{round.sgd, round.error}, round.error, round.messages);
  else
    run_selection(gpu, memory, UpdatedRows<false>{round.sgd, round.error}, round.error, round.messages);
}

}  // namespace sparsepush
