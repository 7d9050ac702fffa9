#include "kernels/mixing/dense_mix.h"

#include <algorithm>
#include <bit>

#include "kernels/backend/aligned_floats.h"
#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/multiversion.h"
#include "kernels/mixing/dense_panel.h"

namespace sparsepush {
namespace {

// Of a GPU: the least shared memory of a block on any that we know, the least width of a panel, and what stays in the
// second level of cache.
constexpr std::int64_t kLeastSharedBytes = 99 << 10, kLeastPanelColumns = 8, kWorkspaceBytes = 32 << 20;

constexpr std::int64_t kPanelBytes = 1 << 18;  // of the old values, which every edge reads: they stay in L2

/// Whole lines; as many as fit the panel's bytes, at least one.
std::int64_t panel_columns(std::int64_t slots) {
  const std::int64_t floats = kPanelBytes / static_cast<std::int64_t>(sizeof(float));
  return std::max<std::int64_t>(kLineFloats, floats / std::max<std::int64_t>(1, slots) / kLineFloats * kLineFloats);
}

void load_panel(const DenseMix& mix, const DensePanel& panel) {
  for (std::int64_t slot = 0; slot < mix.q.rows; ++slot)
    std::copy_n(mix.q.row(slot) + panel.begin, panel.width, panel.before + slot * panel.width);
}

}  // namespace

std::int64_t dense_mix_workspace(std::int64_t slots, std::int64_t row) {
  constexpr auto kFloat = static_cast<std::int64_t>(sizeof(float));
  if (slots * kLeastPanelColumns * kFloat <= kLeastSharedBytes) return 0;
  const std::int64_t columns = std::max(kLeastPanelColumns, std::min(kWorkspaceBytes / (slots * kFloat), row));
  return slots * static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(columns)));
}

void check_dense_mix_shapes(const DenseMix& mix) {
  CHECK(mix.x.cols % 4 == 0, "x ", mix.x);
  CHECK(mix.q.rows >= mix.x.rows && mix.q.cols == mix.x.cols, "q ", mix.q, ", x ", mix.x);
  check_round_edges(mix.edges, mix.x.rows, mix.q.rows, mix.mixed);
  CHECK(mix.mixed == MixedNodes::kAll || mix.apart(), "some nodes mixed in place, which others would read");
}

void dense_mix(const Cpu& cpu, const DenseMix& mix) {
  check_dense_mix_shapes(mix);
  const std::int64_t slots = mix.q.rows, row = mix.x.cols;
  check_round_edge_values(mix.edges, mix.q.rows, mix.mixed);
  const std::int64_t columns = std::min(panel_columns(slots), std::max<std::int64_t>(1, row));
  cpu.pool().run(divide_up(row, columns), [&](std::int64_t item, int worker) {
    float* const before = cpu.pool().scratch<float>(worker, slots * columns).data();
    const DensePanel panel{before, item * columns, std::min(columns, row - item * columns)};
    load_panel(mix, panel);
    run_vectorized(
        cpu.vector_level(), [&]() __attribute__((always_inline)) {
          mix_panel(mix.edges, panel, mix.x, mix.apart(), mix.mixed);
        });
  });
}

}  // namespace sparsepush
