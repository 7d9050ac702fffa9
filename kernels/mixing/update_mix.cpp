#include "kernels/mixing/update_mix.h"

#include <algorithm>
#include <span>

#include "kernels/backend/aligned_floats.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/multiversion.h"
#include "kernels/mixing/dense_panel.h"
#include "kernels/nodes/step_loop.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kPanelBytes = 1 << 17;  // x, momentum, gradient and panel together stay in L2
constexpr std::int64_t kWideColumns = 128;     // of many nodes: loading fewer at a time costs more than leaving L2
constexpr std::int64_t kWidePanelBytes = 8 << 20;

constexpr std::int64_t kTileColumns = 64;  // of one node at a time, while the next node's are on their way

/// Whole lines; as many as fit the panel's bytes, at least one.
std::int64_t panel_columns(std::int64_t nodes) {
  const auto fitting = [&](std::int64_t bytes) {
    return bytes / static_cast<std::int64_t>(sizeof(float)) / std::max<std::int64_t>(1, nodes);
  };
  const std::int64_t columns = std::max(fitting(kPanelBytes), std::min(kWideColumns, fitting(kWidePanelBytes)));
  return std::max<std::int64_t>(kLineFloats, columns / kLineFloats * kLineFloats);
}

/// Some columns of one row of a panel, at most kTileColumns.
struct Tile {
  std::int64_t begin, size;
  bool live;  ///< whether they are no padding
};

/// Those of the row's paddings that columns from `begin` on belong to.
std::span<const Padding> paddings_from(std::span<const Padding> paddings, std::int64_t begin) {
  return paddings.subspan(
      count_before(paddings.size(), [&](std::size_t p) { return rounded_up(paddings[p].end, 4) <= begin; }));
}

/// Calls body(tile) for all columns of the panel, in order.
template <class Body>
[[gnu::always_inline]] inline void for_each_tile(std::span<const Padding> paddings, const DensePanel& panel,
                                                 const Body& body) {
  std::int64_t done = 0;
  const auto visit_until = [&](std::int64_t limit, bool live) __attribute__((always_inline)) {
    limit = std::min(limit - panel.begin, panel.width);
    while (done < limit) {
      const std::int64_t size = std::min(kTileColumns, limit - done);
      body(Tile{done, size, live});
      done += size;
    }
  };
  for (const Padding& padding : paddings) {
    if (done == panel.width) break;
    visit_until(padding.end, true);
    visit_until(rounded_up(padding.end, 4), false);
  }
}

/// Begins to bring the next node's columns from memory: they are too few for the processor to see a pattern.
[[gnu::always_inline]] inline void prefetch_next(const SgdUpdate& sgd, std::int64_t at) {
  for (std::int64_t c = 0; c < kTileColumns; c += kLineFloats) {
    __builtin_prefetch(sgd.x.data + at + sgd.x.cols + c, 1);
    __builtin_prefetch(sgd.momentum.data + at + sgd.x.cols + c, 1);
    __builtin_prefetch(sgd.gradient.data + at + sgd.x.cols + c, 0);
  }
}

/// The step of `node`: its new x goes to the panel.
template <bool kNesterov>
[[gnu::always_inline]] inline void update_node(const SgdUpdate& sgd, int node, std::span<const Padding> paddings,
                                               const DensePanel& panel) {
  const SgdRule<kNesterov> rule(settings_of(sgd, node));
  const NodeStep step = node_step(sgd, node);
  std::uint32_t largest = 0;
  for_each_tile(
      paddings, panel, [&](const Tile& tile) __attribute__((always_inline)) {
        const std::int64_t at = static_cast<std::int64_t>(node) * sgd.x.cols + panel.begin + tile.begin;
        float* const x = panel.before + node * panel.width + tile.begin;
        const auto update = [&](std::int64_t size) __attribute__((always_inline)) {
          for (std::int64_t i = 0; i < size; ++i) x[i] = sgd.x.data[at + i];
          if (!tile.live) return;
          const StepRows rows{x, x, sgd.momentum.data + at, nullptr, sgd.gradient.data + at, nullptr};
          largest = std::max(largest, step_loop<false>(rule, step, size, rows));
        };
        if (node + 1 < sgd.x.rows) prefetch_next(sgd, at);
        if (tile.size == kTileColumns)
          update(kTileColumns);  // a constant, so that this is straight vector code
        else
          update(tile.size);
      });
  if (largest >= kFirstNonFinite) mark_diverged(sgd, node);
}

}  // namespace

void check_update_mix_shapes(const RowLayout& layout, const UpdateMix& round) {
  check_sgd_update_shapes(layout, round.sgd);
  check_round_edges(round.edges, round.sgd.x.rows, round.sgd.x.rows);
}

void update_mix(const Cpu& cpu, const RowLayout& layout, const UpdateMix& round) {
  check_update_mix_shapes(layout, round);
  const SgdUpdate& sgd = round.sgd;
  check_round_edge_values(round.edges, sgd.x.rows);
  const std::int64_t row = layout.row, columns = std::min(panel_columns(sgd.x.rows), std::max<std::int64_t>(1, row));
  cpu.pool().run(divide_up(row, columns), [&](std::int64_t item, int worker) {
    const std::int64_t begin = item * columns, end = std::min(begin + columns, row);
    const std::span<const Padding> paddings = paddings_from(layout.paddings, begin);
    const DensePanel panel{cpu.pool().scratch<float>(worker, sgd.x.rows * columns).data(), begin, end - begin};
    const auto update_and_mix = [&]() __attribute__((always_inline)) {
      for (int node = 0; node < sgd.x.rows; ++node) {
        if (sgd.nesterov)
          update_node<true>(sgd, node, paddings, panel);
        else
          update_node<false>(sgd, node, paddings, panel);
      }
      mix_panel(round.edges, panel, sgd.x, false);
    };
    run_vectorized(cpu.vector_level(), update_and_mix);
  });
}

}  // namespace sparsepush
