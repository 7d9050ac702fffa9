#include <algorithm>

#include "kernels/cuda_launch.h"
#include "kernels/cuda_scratch.h"
#include "kernels/dense_mix.h"
#include "kernels/mix_element.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;
constexpr int kSector = 8;                            // floats in 32 bytes: a narrower panel would waste what it loads
constexpr int kWidestPanel = 32;                      // a panel row is one access of a warp
constexpr int kPanelBytes = 96 * 1024;                // two blocks share a multiprocessor while the panel is this small
constexpr std::int64_t kGlobalPanelBytes = 32 << 20;  // stays in the second level of cache

/// Columns of a panel that holds all slots' old values in shared memory; 0 if not even a sector fits.
int shared_panel_columns(std::int64_t slots, std::int64_t most_bytes) {
  for (int columns = kWidestPanel; columns >= kSector; columns /= 2) {
    const std::int64_t limit = columns > kSector ? std::min<std::int64_t>(kPanelBytes, most_bytes) : most_bytes;
    if (slots * columns * static_cast<std::int64_t>(sizeof(float)) <= limit) return columns;
  }
  return 0;
}

/// The columns [begin, begin + width) of all slots as they were before the round; before: [slots, columns].
struct Panel {
  float* before;
  int columns;
  std::int64_t begin;
  int width;
};

/// Copies the panel's element `i` of [slots, columns], if it is not beyond the row.
__device__ void load_element(const DenseMix& mix, const Panel& panel, std::int64_t i) {
  const std::int64_t slot = i / panel.columns, c = i % panel.columns, nodes = mix.x.rows;
  if (c < panel.width) panel.before[i] = (slot < nodes ? mix.x.row(slot) : mix.halo.row(slot - nodes))[panel.begin + c];
}

/// Mixes the panel's element `i` of [nodes, columns].
__device__ void mix_element(const DenseMix& mix, const Panel& panel, std::int64_t i) {
  const std::int64_t node = i / panel.columns, c = i % panel.columns;
  if (c >= panel.width) return;
  mix.x.row(node)[panel.begin + c] =
      mixed_element(mix.edges, node, [&](std::int64_t slot) { return panel.before[slot * panel.columns + c]; });
}

/// One block per panel, in strides of the grid; the panel lies in shared memory. Threads take elements in turn.
__global__ void dense_mix_kernel(DenseMix mix, int columns) {
  const int nodes = mix.x.rows, slots = nodes + mix.halo.rows;
  Panel panel{dynamic_shared<float>(), columns, 0, columns};
  for (panel.begin = static_cast<std::int64_t>(blockIdx.x) * columns; panel.begin < mix.x.cols;
       panel.begin += static_cast<std::int64_t>(gridDim.x) * columns) {
    panel.width = static_cast<int>(std::min<std::int64_t>(columns, mix.x.cols - panel.begin));
    for (int i = threadIdx.x; i < slots * columns; i += kThreads) load_element(mix, panel, i);
    __syncthreads();
    for (int i = threadIdx.x; i < nodes * columns; i += kThreads) mix_element(mix, panel, i);
    __syncthreads();
  }
}

/// The two halves for one panel in global memory, a thread per element, in strides of the grid.
__global__ void load_panel_kernel(DenseMix mix, Panel panel) {
  const std::int64_t elements = (static_cast<std::int64_t>(mix.x.rows) + mix.halo.rows) * panel.columns;
  for (std::int64_t i = grid_thread(); i < elements; i += grid_threads()) load_element(mix, panel, i);
}
__global__ void mix_panel_kernel(DenseMix mix, Panel panel) {
  const std::int64_t elements = static_cast<std::int64_t>(mix.x.rows) * panel.columns;
  for (std::int64_t i = grid_thread(); i < elements; i += grid_threads()) mix_element(mix, panel, i);
}

/// Panel by panel: for more slots than shared memory holds.
void mix_by_global_panels(const Cuda& gpu, const DenseMix& mix, std::int64_t slots) {
  const std::int64_t fitting = kGlobalPanelBytes / (slots * static_cast<std::int64_t>(sizeof(float)));
  const int columns = static_cast<int>(std::clamp<std::int64_t>(fitting / kSector * kSector, kSector, mix.x.cols));
  const CudaScratch<float> before(gpu, slots * columns);
  const LaunchShape shape{.blocks = blocks_for(gpu, (slots * columns + kThreads - 1) / kThreads), .threads = kThreads};
  for (std::int64_t begin = 0; begin < mix.x.cols; begin += columns) {
    const int width = static_cast<int>(std::min<std::int64_t>(columns, mix.x.cols - begin));
    const Panel panel{before.data(), columns, begin, width};
    launch(gpu, shape, load_panel_kernel, mix, panel);
    launch(gpu, shape, mix_panel_kernel, mix, panel);
  }
}

}  // namespace

void dense_mix(const Cuda& gpu, const DenseMix& mix) {
  check_dense_mix_shapes(mix);
  const std::int64_t slots = static_cast<std::int64_t>(mix.x.rows) + mix.halo.rows;
  const int columns = shared_panel_columns(slots, gpu.most_shared_bytes());
  if (columns == 0) return mix_by_global_panels(gpu, mix, slots);
  launch(gpu,
         {.blocks = blocks_for(gpu, (mix.x.cols + columns - 1) / columns),
          .threads = kThreads,
          .shared_bytes = slots * columns * sizeof(float)},
         dense_mix_kernel, mix, columns);
}

}  // namespace sparsepush
