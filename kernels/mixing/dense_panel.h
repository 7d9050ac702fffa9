// Dense mixing by panels of columns on the Cpu, shared by the ops that contain it.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>

#include "kernels/backend/view.h"
#include "kernels/mixing/round_edges.h"

namespace sparsepush {

inline constexpr int kSourcesAtOnce = 4;  // sums stay in registers, and as many rows are read side by side

/// The columns [begin, begin + width) of all slots before the round.
struct DensePanel {
  float* before;  ///< [slots, width]
  std::int64_t begin, width;
};

/// Weighted rows of a panel.
struct PanelSources {
  std::array<const float*, kSourcesAtOnce> row;
  std::array<float, kSourcesAtOnce> weight;
  int count = 0;
};

/// mixed = from + the first kCount sources, in order.
template <int kCount>
[[gnu::always_inline]] inline void add_sources(const PanelSources& sources, const float* from, float* mixed,
                                               std::int64_t width) {
  const PanelSources s = sources;  // in registers, since no store can reach a local
#pragma GCC ivdep                  // `mixed` is none of the sources, and `from` at most in the same place
  for (std::int64_t c = 0; c < width; ++c) {
    float sum = from[c];
    for (int i = 0; i < kCount; ++i) sum = std::fma(s.weight[i], s.row[i][c], sum);
    mixed[c] = sum;
  }
}

[[gnu::always_inline]] inline void add_sources(const PanelSources& sources, const float* from, float* mixed,
                                               std::int64_t width) {
  static_assert(kSourcesAtOnce == 4);
  if (sources.count == 1) add_sources<1>(sources, from, mixed, width);
  if (sources.count == 2) add_sources<2>(sources, from, mixed, width);
  if (sources.count == 3) add_sources<3>(sources, from, mixed, width);
  if (sources.count == 4) add_sources<4>(sources, from, mixed, width);
}

/// The panel's columns of x [nodes, row] after the round, of nodes that are mixed: a node's first source is itself. The
/// panel holds x, or, with `apart`, other rows that are mixed into x.
[[gnu::always_inline]] inline void mix_panel(const RoundEdges& edges, const DensePanel& panel, MatrixView<float> x,
                                             bool apart, MixedNodes mixed_nodes = MixedNodes::kAll) {
  const auto row = [&](std::int64_t slot) { return panel.before + slot * panel.width; };
  for (std::int64_t node = 0; node < x.rows; ++node) {
    if (!is_mixed(edges, mixed_nodes, node)) continue;
    float* const mixed = x.row(node) + panel.begin;
    const float* from = apart ? mixed : row(node);
    PanelSources sources{.row = {row(node)}, .weight = {edges.self_weight[node]}, .count = 1};
    for (std::int64_t e = edges.begin[node]; e < edges.begin[node + 1]; ++e) {
      if (sources.count == kSourcesAtOnce) {
        add_sources(sources, from, mixed, panel.width);
        from = mixed;
        sources.count = 0;
      }
      sources.row[sources.count] = row(edges.slot[e]);
      sources.weight[sources.count++] = edges.weight[e];
    }
    add_sources(sources, from, mixed, panel.width);
  }
}

}  // namespace sparsepush
