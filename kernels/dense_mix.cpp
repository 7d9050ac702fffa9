#include "kernels/dense_mix.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/check.h"
#include "kernels/multiversion.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kPanelBytes = 1 << 18;  // of the old values, which every edge reads: they stay in L2
constexpr std::int64_t kLine = 16;             // floats in a cache line: a narrower panel would waste what it loads

/// Whole lines; as many as fit the panel's bytes, at least one.
std::int64_t panel_columns(std::int64_t slots) {
  const std::int64_t floats = kPanelBytes / static_cast<std::int64_t>(sizeof(float));
  return std::max(kLine, floats / std::max<std::int64_t>(1, slots) / kLine * kLine);
}

/// The columns [begin, begin + width) of all slots as they were before the round, [slots, width].
struct Panel {
  float* before;
  std::int64_t begin, width;
};

void load_panel(const DenseMix& mix, const Panel& panel) {
  const int nodes = mix.x.rows;
  for (std::int64_t slot = 0; slot < nodes + mix.halo.rows; ++slot) {
    const float* row = slot < nodes ? mix.x.row(slot) : mix.halo.row(slot - nodes);
    std::copy_n(row + panel.begin, panel.width, panel.before + slot * panel.width);
  }
}

[[gnu::always_inline]] inline void start_scaled(float* __restrict mixed, float weight, const float* __restrict before,
                                                std::int64_t width) {
  for (std::int64_t c = 0; c < width; ++c) mixed[c] = std::fma(weight, before[c], before[c]);
}

[[gnu::always_inline]] inline void add_scaled(float* __restrict mixed, float weight, const float* __restrict before,
                                              std::int64_t width) {
  for (std::int64_t c = 0; c < width; ++c) mixed[c] = std::fma(weight, before[c], mixed[c]);
}

[[gnu::always_inline]] inline void mix_panel(const DenseMix& mix, const Panel& panel) {
  for (std::int64_t node = 0; node < mix.x.rows; ++node) {
    float* mixed = mix.x.row(node) + panel.begin;
    start_scaled(mixed, mix.edges.self_weight[node], panel.before + node * panel.width, panel.width);
    for (std::int64_t e = mix.edges.begin[node]; e < mix.edges.begin[node + 1]; ++e) {
      add_scaled(mixed, mix.edges.weight[e], panel.before + mix.edges.slot[e] * panel.width, panel.width);
    }
  }
}

}  // namespace

void check_dense_mix_shapes(const DenseMix& mix) {
  CHECK(mix.halo.rows == 0 || mix.halo.cols == mix.x.cols, "halo ", mix.halo, ", x ", mix.x);
  check_round_edges(mix.edges, mix.x.rows, mix.x.rows + mix.halo.rows);
}

void dense_mix(const Cpu& cpu, const DenseMix& mix) {
  check_dense_mix_shapes(mix);
  const std::int64_t slots = static_cast<std::int64_t>(mix.x.rows) + mix.halo.rows, row = mix.x.cols;
  check_round_edge_values(mix.edges, static_cast<int>(slots));
  const std::int64_t columns = panel_columns(slots);
  std::vector<std::vector<float>> before(cpu.threads());
  cpu.pool().run((row + columns - 1) / columns, [&](std::int64_t item, int worker) {
    before[worker].resize(slots * columns);
    const Panel panel{before[worker].data(), item * columns, std::min(columns, row - item * columns)};
    load_panel(mix, panel);
    run_vectorized([&]() __attribute__((always_inline)) { mix_panel(mix, panel); });
  });
}

}  // namespace sparsepush
