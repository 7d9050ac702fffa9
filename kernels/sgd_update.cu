#include "kernels/sgd_element.h"
#include "kernels/sgd_kernel.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

/// One thread per 4 neighbouring elements of all nodes' rows, in strides of the grid: 16 bytes of each array in a load.
/// Padding stays as it is.
template <bool kNesterov, bool kError>
__global__ void sgd_update_kernel(SgdUpdate update, MatrixView<float> error, std::span<const std::uint8_t> live) {
  const std::int64_t row_quads = std::ssize(live), quads = update.x.rows * row_quads;
  for (std::int64_t i = grid_thread(); i < quads; i += grid_threads()) {
    const std::int64_t node = i / row_quads;
    const NodeStep s = node_step(update, static_cast<int>(node));
    Quad x = load_quad(update.x.data, i), momentum = load_quad(update.momentum.data, i);
    const Quad gradient = load_quad(update.gradient.data, i);
    Quad e{};
    if constexpr (kError) e = load_quad(error.data, i);
    bool finite = true;
    for_each_lane(live[i % row_quads], [&](int lane) {
      x.lane[lane] = step_element<kNesterov>(s, x.lane[lane], momentum.lane[lane], gradient.lane[lane]);
      e.lane[lane] = __fadd_rn(x.lane[lane], e.lane[lane]);
      finite &= is_finite(kError ? e.lane[lane] : x.lane[lane]);
    });
    store_quad(x, update.x.data, i);
    store_quad(momentum, update.momentum.data, i);
    if constexpr (kError) store_quad(e, error.data, i);
    if (!finite) update.diverged[node] = 1;  // by several threads, with the same value
  }
}

}  // namespace

void run_sgd(const Cuda& gpu, const CudaLayout& layout, const SgdUpdate& update, MatrixView<float> error) {
  const std::int64_t quads = update.x.rows * (layout.host().row / 4);
  const LaunchShape shape{.blocks = blocks_for(gpu, (quads + kThreads - 1) / kThreads), .threads = kThreads};
  const auto kernel = error.data != nullptr
                          ? (update.nesterov ? sgd_update_kernel<true, true> : sgd_update_kernel<false, true>)
                          : (update.nesterov ? sgd_update_kernel<true, false> : sgd_update_kernel<false, false>);
  launch(gpu, shape, kernel, update, error, layout.live());
}

void sgd_update(const Cuda& gpu, const CudaLayout& layout, const SgdUpdate& update) {
  check_sgd_update_shapes(layout.host(), update);
  if (update.x.size() > 0) run_sgd(gpu, layout, update, {});
}

}  // namespace sparsepush
