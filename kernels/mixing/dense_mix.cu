#include <algorithm>

#include "kernels/backend/check.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/mixing/dense_mix.h"
#include "kernels/mixing/mix_panel.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

/// Copies quad `i` of [slots, 2^log2_quads] to the panel.
__device__ void load_panel_quad(const DenseMix& mix, const Panel& panel, std::int64_t i) {
  const auto [slot, column] = panel_quad(panel, i);
  if (column < mix.q.cols / 4) store_quad(load_quad(mix.q.row(slot), column), panel.before, i);
}

/// Mixes quad `i` of [nodes, 2^log2_quads], if its node is mixed.
template <bool kApart>
__device__ void mix_panel_quad(const DenseMix& mix, const Panel& panel, std::int64_t i) {
  if (kApart && !is_mixed(mix.edges, mix.mixed, panel_quad(panel, i).slot)) return;
  mix_quad<kApart>(mix.edges, panel, mix.x, i);
}

/// One block per panel, in strides of the grid; the panel lies in shared memory. Threads take its quads in turn.
template <bool kApart>
__global__ void __launch_bounds__(kMostPanelThreads) dense_mix_kernel(DenseMix mix, int log2_quads) {
  const int nodes = mix.x.rows, slots = mix.q.rows;
  Panel panel{dynamic_shared<float>(), static_cast<int>(blockIdx.x << log2_quads), log2_quads};
  for (; panel.begin < mix.x.cols / 4; panel.begin += static_cast<int>(gridDim.x << log2_quads)) {
    for (int i = threadIdx.x; i < slots << log2_quads; i += blockDim.x) load_panel_quad(mix, panel, i);
    __syncthreads();
    for (int i = threadIdx.x; i < nodes << log2_quads; i += blockDim.x) mix_panel_quad<kApart>(mix, panel, i);
    __syncthreads();
  }
}

/// The two halves for one panel in global memory, a thread per quad, in strides of the grid.
__global__ void load_panel_kernel(DenseMix mix, Panel panel) {
  const std::int64_t quads = static_cast<std::int64_t>(mix.q.rows) << panel.log2_quads;
  for (std::int64_t i = grid_thread(); i < quads; i += grid_threads()) load_panel_quad(mix, panel, i);
}
template <bool kApart>
__global__ void mix_panel_kernel(DenseMix mix, Panel panel) {
  const std::int64_t quads = static_cast<std::int64_t>(mix.x.rows) << panel.log2_quads;
  for (std::int64_t i = grid_thread(); i < quads; i += grid_threads()) mix_panel_quad<kApart>(mix, panel, i);
}

/// Panel by panel: for more slots than shared memory holds.
void mix_by_global_panels(const Cuda& gpu, const DenseMix& mix) {
  const std::int64_t slots = mix.q.rows, room = std::ssize(mix.workspace) / slots;  // columns
  CHECK(room >= kSector, "workspace ", mix.workspace.size(), ", slots ", slots);
  const int log2_quads = floor_log2(std::max<std::int64_t>(kSector, std::min<std::int64_t>(room, mix.x.cols)) / 4);
  const LaunchShape shape = thread_each(gpu, slots << log2_quads, kThreads);
  for (int begin = 0; begin < mix.x.cols / 4; begin += 1 << log2_quads) {
    const Panel panel{mix.workspace.data(), begin, log2_quads};
    launch(gpu, shape, load_panel_kernel, mix, panel);
    launch(gpu, shape, mix.apart() ? mix_panel_kernel<true> : mix_panel_kernel<false>, mix, panel);
  }
}

}  // namespace

void dense_mix(const Cuda& gpu, const DenseMix& mix) {
  check_dense_mix_shapes(mix);
  const int columns = shared_panel_columns(mix.q.rows, gpu.most_shared_bytes());
  if (columns == 0) return mix_by_global_panels(gpu, mix);
  launch(gpu, shared_panel_shape(gpu, mix.q.rows, columns, mix.x.cols),
         mix.apart() ? dense_mix_kernel<true> : dense_mix_kernel<false>, mix, floor_log2(columns / 4));
}

}  // namespace sparsepush
