// Dense mixing by panels of columns on a GPU, shared by the ops that contain it; for .cu files only.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>

#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/quad.h"
#include "kernels/backend/view.h"
#include "kernels/mixing/round_edges.h"

namespace sparsepush {

constexpr int kFewestPanelThreads = 256, kMostPanelThreads = 1024;
constexpr int kSector = 8;  // floats in 32 bytes: a narrower panel would waste what it loads
constexpr int kLine = 32;   // floats in 128 bytes: what a panel of few slots loads at least
constexpr int kWidestPanel = 512;
constexpr int kSmallPanelBytes = 8 * 1024;  // two quads a thread of 256: wider panels would only wait longer
constexpr int kTwoPanelsBytes = 96 * 1024;  // two blocks share a multiprocessor while the panel is this small

/// Returns how many columns a panel has that holds all slots in shared memory, a power of two; 0 if not even a sector
/// fits.
inline int shared_panel_columns(std::int64_t slots, std::int64_t most_bytes) {
  for (int columns = kWidestPanel; columns >= kSector; columns /= 2) {
    const std::int64_t wanted = columns > kLine ? kSmallPanelBytes : columns > kSector ? kTwoPanelsBytes : most_bytes;
    const std::int64_t limit = std::min(wanted, most_bytes);
    if (slots * columns * static_cast<std::int64_t>(sizeof(float)) <= limit) return columns;
  }
  return 0;
}

/// Returns a shape with one block per panel of `columns` of a row. Larger panels leave room for fewer blocks, which
/// then have more threads.
inline LaunchShape shared_panel_shape(const Cuda& gpu, std::int64_t slots, int columns, std::int64_t row) {
  const std::int64_t bytes = slots * columns * static_cast<std::int64_t>(sizeof(float));
  int threads = kFewestPanelThreads;
  while (threads < kMostPanelThreads && threads * bytes > kFewestPanelThreads * gpu.most_shared_bytes() / 8)
    threads *= 2;
  return {.blocks = blocks_for(gpu, divide_up(row, columns), kThreadsPerMultiprocessor / threads),
          .threads = threads,
          .shared_bytes = static_cast<std::size_t>(bytes)};
}

/// The quads [begin, begin + 2^log2_quads) of all slots' rows as they are before mixing.
struct Panel {
  float* before;  ///< [slots, 4 * 2^log2_quads]
  int begin, log2_quads;
};

inline int floor_log2(std::int64_t positive) { return std::bit_width(static_cast<std::uint64_t>(positive)) - 1; }

/// The place of quad `i` of a panel in the slots' rows, possibly beyond their end. Nothing is divided for it.
struct PanelQuad {
  std::int64_t slot;
  int column;
};
__device__ inline PanelQuad panel_quad(const Panel& panel, std::int64_t i) {
  return {i >> panel.log2_quads, panel.begin + static_cast<int>(i & ((1 << panel.log2_quads) - 1))};
}

__device__ inline Quad scale_and_add(float weight, const Quad& a, const Quad& b) {
  Quad sum;
  for (int lane = 0; lane < 4; ++lane) sum.lane[lane] = __fmaf_rn(weight, a.lane[lane], b.lane[lane]);
  return sum;
}

/// Mixes quad `i` of the panel [nodes, 2^log2_quads] into x. The panel holds x, or, with `kApart`, other rows that are
/// mixed into x.
template <bool kApart>
__device__ void mix_quad(const RoundEdges& edges, const Panel& panel, const MatrixView<float>& x, std::int64_t i) {
  const auto [node, column] = panel_quad(panel, i);
  if (column >= x.cols / 4) return;
  const float* before = panel.before + 4 * (column - panel.begin);
  const Quad own = load_quad(panel.before, i);
  Quad mixed = scale_and_add(edges.self_weight[node], own, kApart ? load_quad(x.row(node), column) : own);
  for (std::int64_t e = edges.begin[node], end = edges.begin[node + 1]; e < end; ++e)
    mixed = scale_and_add(edges.weight[e], load_quad(before, std::int64_t{edges.slot[e]} << panel.log2_quads), mixed);
  store_quad(mixed, x.row(node), column);
}

}  // namespace sparsepush
