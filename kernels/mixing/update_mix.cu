#include "kernels/mixing/dense_mix.h"
#include "kernels/mixing/mix_panel.h"
#include "kernels/mixing/update_mix.h"
#include "kernels/nodes/sgd_kernel.h"

namespace sparsepush {
namespace {

/// The step of quad `i` of the panel [nodes, 2^log2_quads]: its x goes to the panel, its momentum back to where it was.
/// Padding stays as it is.
template <bool kNesterov>
__device__ void update_quad(const SgdUpdate& update, std::span<const std::uint8_t> live, const Panel& panel, int i) {
  const int node = i >> panel.log2_quads, column = panel_quad(panel, i).column;
  if (column >= std::ssize(live)) return;
  const Quad x = step_quad<kNesterov>(node_step(update, node),
                                      {update.x.row(node), update.momentum.row(node), update.gradient.row(node)},
                                      column, live[column]);
  store_quad(x, panel.before, i);
  if (!is_finite(x)) update.diverged[node] = 1;  // by several threads, with the same value
}

/// One block per panel of columns, in strides of the grid. Threads take the panel's quads in turn, first to update all
/// nodes into shared memory, then to mix from there.
template <bool kNesterov>
__global__ void __launch_bounds__(kMostPanelThreads)
    update_mix_kernel(UpdateMix round, std::span<const std::uint8_t> live, int log2_quads) {
  const SgdUpdate& update = round.sgd;
  const int quads = update.x.rows << log2_quads;
  Panel panel{dynamic_shared<float>(), static_cast<int>(blockIdx.x << log2_quads), log2_quads};
  for (; panel.begin < std::ssize(live); panel.begin += static_cast<int>(gridDim.x << log2_quads)) {
    for (int i = threadIdx.x; i < quads; i += blockDim.x) update_quad<kNesterov>(update, live, panel, i);
    __syncthreads();
    for (int i = threadIdx.x; i < quads; i += blockDim.x) mix_quad<false>(round.edges, panel, update.x, i);
    __syncthreads();
  }
}

}  // namespace

void update_mix(const Cuda& gpu, const CudaLayout& layout, const UpdateMix& round) {
  check_update_mix_shapes(layout.host(), round);
  const std::int64_t nodes = round.sgd.x.rows;
  const int columns = shared_panel_columns(nodes, gpu.most_shared_bytes());
  if (columns == 0) {
    sgd_update(gpu, layout, round.sgd);
    return dense_mix(gpu, {.x = round.sgd.x, .q = round.sgd.x, .edges = round.edges, .workspace = round.workspace});
  }
  launch(gpu, shared_panel_shape(gpu, nodes, columns, layout.host().row),
         round.sgd.nesterov ? update_mix_kernel<true> : update_mix_kernel<false>, round, layout.live(),
         floor_log2(columns / 4));
}

}  // namespace sparsepush
