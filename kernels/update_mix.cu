#include <algorithm>

#include "kernels/dense_mix.h"
#include "kernels/mix_element.h"
#include "kernels/sgd_element.h"
#include "kernels/update_mix.h"

namespace sparsepush {
namespace {

constexpr int kFewestThreads = 256, kMostThreads = 1024;
constexpr int kSector = 8;  // floats in 32 bytes: a narrower panel would waste what it loads
constexpr int kLine = 32;   // floats in 128 bytes: what a panel of few nodes loads at least
constexpr int kWidestPanel = 512;
constexpr int kSmallPanelBytes = 8 * 1024;  // two quads a thread of 256: wider panels would only wait longer
constexpr int kTwoPanelsBytes = 96 * 1024;  // two blocks share a multiprocessor while the panel is this small

/// Columns of a panel that holds all nodes' new values in shared memory; 0 if not even a sector fits.
int panel_columns(std::int64_t nodes, std::int64_t most_bytes) {
  for (int columns = kWidestPanel; columns >= kSector; columns /= 2) {
    const std::int64_t wanted = columns > kLine ? kSmallPanelBytes : columns > kSector ? kTwoPanelsBytes : most_bytes;
    const std::int64_t limit = std::min(wanted, most_bytes);
    if (nodes * columns * static_cast<std::int64_t>(sizeof(float)) <= limit) return columns;
  }
  return 0;
}

/// Larger panels leave room for fewer blocks, which then have more threads.
int panel_threads(std::int64_t panel_bytes, std::int64_t most_bytes) {
  int threads = kFewestThreads;
  while (threads < kMostThreads && threads * panel_bytes > kFewestThreads * most_bytes / 8) threads *= 2;
  return threads;
}

/// The panel of the quads [begin, begin + width) of all nodes.
struct Panel {
  float* updated;  ///< [nodes, 4 width] x between the step and mixing
  std::int64_t begin;
  int width;  ///< in quads
};

/// The step of quad `i` of the panel [nodes, width]: its x goes to the panel, its momentum back to where it was.
/// Padding stays as it is.
template <bool kNesterov>
__device__ void update_quad(const SgdUpdate& update, std::span<const std::uint8_t> live, const Panel& panel, int i) {
  const int node = i / panel.width, c = i % panel.width;
  const std::int64_t at = node * std::ssize(live) + panel.begin + c;
  const NodeStep s = node_step(update, node);
  Quad x = load_quad(update.x.data, at), momentum = load_quad(update.momentum.data, at);
  const Quad gradient = load_quad(update.gradient.data, at);
  bool finite = true;
  for_each_lane(live[panel.begin + c], [&](int lane) {
    x.lane[lane] = step_element<kNesterov>(s, x.lane[lane], momentum.lane[lane], gradient.lane[lane]);
    finite &= is_finite(x.lane[lane]);
  });
  store_quad(momentum, update.momentum.data, at);
  store_quad(x, panel.updated, i);
  if (!finite) update.diverged[node] = 1;  // by several threads, with the same value
}

/// One block per panel of columns, in strides of the grid. Threads take the panel's quads in turn, first to update all
/// nodes into shared memory, then to mix from there.
template <bool kNesterov>
__global__ void __launch_bounds__(kMostThreads)
    update_mix_kernel(UpdateMix round, std::span<const std::uint8_t> live, int columns) {
  const SgdUpdate& update = round.sgd;
  const std::int64_t row = std::ssize(live);
  Panel panel{dynamic_shared<float>(), 0, 0};
  for (panel.begin = static_cast<std::int64_t>(blockIdx.x) * columns; panel.begin < row;
       panel.begin += static_cast<std::int64_t>(gridDim.x) * columns) {
    panel.width = static_cast<int>(std::min<std::int64_t>(columns, row - panel.begin));
    const int quads = update.x.rows * panel.width;
    for (int i = threadIdx.x; i < quads; i += blockDim.x) update_quad<kNesterov>(update, live, panel, i);
    __syncthreads();
    for (int i = threadIdx.x; i < quads; i += blockDim.x) {
      const int node = i / panel.width, c = i % panel.width;
      const Quad x = mixed_element(round.edges, node,
                                   [&](std::int64_t slot) { return load_quad(panel.updated, slot * panel.width + c); });
      store_quad(x, update.x.data, node * row + panel.begin + c);
    }
    __syncthreads();
  }
}

}  // namespace

void update_mix(const Cuda& gpu, const CudaLayout& layout, const UpdateMix& round) {
  check_update_mix_shapes(layout.host(), round);
  const std::int64_t nodes = round.sgd.x.rows, quads = layout.host().row / 4;
  const int columns = panel_columns(nodes, gpu.most_shared_bytes());
  if (columns == 0) {
    sgd_update(gpu, layout, round.sgd);
    return dense_mix(gpu, {.x = round.sgd.x, .halo = {}, .edges = round.edges});
  }
  const std::int64_t panel_bytes = nodes * columns * sizeof(float);
  const int threads = panel_threads(panel_bytes, gpu.most_shared_bytes()), columns_in_quads = columns / 4;
  const LaunchShape shape{.blocks = blocks_for(gpu, (quads + columns_in_quads - 1) / columns_in_quads, 2048 / threads),
                          .threads = threads,
                          .shared_bytes = static_cast<std::size_t>(panel_bytes)};
  launch(gpu, shape, round.sgd.nesterov ? update_mix_kernel<true> : update_mix_kernel<false>, round, layout.live(),
         columns_in_quads);
}

}  // namespace sparsepush
