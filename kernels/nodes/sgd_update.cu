#include <iterator>

#include "kernels/backend/cuda_launch.h"
#include "kernels/nodes/sgd_kernel.h"
#include "kernels/nodes/sgd_update.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

/// One thread per 4 neighbouring elements of all nodes' rows, in strides of the grid: 16 bytes of each array in a load.
template <bool kNesterov>
__global__ void sgd_update_kernel(SgdUpdate update, std::span<const std::uint8_t> live) {
  const std::int64_t row_quads = std::ssize(live), quads = update.x.rows * row_quads;
  for (std::int64_t i = grid_thread(); i < quads; i += grid_threads()) {
    const std::int64_t quad = i % row_quads;
    const auto node = static_cast<int>(i / row_quads);
    const Quad x = step_quad<kNesterov>(node_step(update, node), update.x.row(node), update.momentum.row(node),
                                        update.gradient.row(node), quad, live[quad]);
    if (!is_finite(x)) update.diverged[node] = 1;  // by several threads, with the same value
  }
}

}  // namespace

void sgd_update(const Cuda& gpu, const CudaLayout& layout, const SgdUpdate& update) {
  check_sgd_update_shapes(layout.host(), update);
  if (update.x.size() == 0) return;
  const std::int64_t quads = update.x.rows * (layout.host().row / 4);
  launch(gpu, {.blocks = blocks_for(gpu, (quads + kThreads - 1) / kThreads), .threads = kThreads},
         update.nesterov ? sgd_update_kernel<true> : sgd_update_kernel<false>, update, layout.live());
}

}  // namespace sparsepush
