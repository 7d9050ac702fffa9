// The step of any optimizer on a GPU, over all nodes' rows; for .cu files only.
#pragma once
#include <iterator>

#include "kernels/backend/cuda_launch.h"
#include "kernels/nodes/sgd_kernel.h"

namespace sparsepush {

/// Takes the step, one thread per 4 neighbouring elements of all nodes' rows, in strides of the grid: 16 bytes of each
/// array in a load. Padding stays as it is.
template <class Rule>
__global__ void step_rows_kernel(SgdUpdate update, MatrixView<float> second, std::span<const std::uint8_t> live) {
  const std::int64_t row_quads = std::ssize(live), quads = update.x.rows * row_quads;
  const bool has_steps = update.steps.data;
  for (std::int64_t i = grid_thread(); i < quads; i += grid_threads()) {
    const auto node = static_cast<int>(i / row_quads);
    const Rule rule(settings_of(update, node));
    const NodeStep s = node_step(update, node);
    Quad x = load_quad(update.x.data, i), momentum = load_quad(update.momentum.data, i);
    Quad other = Rule::kHasSecond ? load_quad(second.data, i) : Quad{};
    Quad steps = has_steps ? load_quad(update.steps.data, i) : Quad{};
    const Quad z = update.z.data ? load_quad(update.z.data, i) : x, gradient = load_quad(update.gradient.data, i);
    for_each_lane(live[i % row_quads], [&](int lane) {
      const float direction =
          rule.direction(s, z.lane[lane] * s.inverse_u, momentum.lane[lane], other.lane[lane], gradient.lane[lane]);
      x.lane[lane] = stepped(s, direction, x.lane[lane]);
      steps.lane[lane] = stepped(s, direction, steps.lane[lane]);
    });
    store_quad(x, update.x.data, i);
    store_quad(momentum, update.momentum.data, i);
    if (Rule::kHasSecond) store_quad(other, second.data, i);
    if (has_steps) store_quad(steps, update.steps.data, i);
    if (!is_finite(x)) update.diverged[node] = 1;  // by several threads, with the same value
  }
}

/// Takes the step of all nodes. `second` [nodes, row]: the rule's other array, if it has one.
template <class Rule>
void step_rows(const Cuda& gpu, const CudaLayout& layout, const SgdUpdate& update, MatrixView<float> second = {}) {
  constexpr int kThreads = 256;
  if (update.x.size() == 0) return;
  const std::int64_t quads = update.x.rows * (layout.host().row / 4);
  launch(gpu, thread_each(gpu, quads, kThreads), step_rows_kernel<Rule>, update, second, layout.live());
}

}  // namespace sparsepush
