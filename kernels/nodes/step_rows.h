// The step of any optimizer on the Cpu, over all nodes' rows.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/multiversion.h"
#include "kernels/nodes/step_loop.h"

namespace sparsepush {

inline constexpr std::int64_t kStepTile = 1 << 15;  // elements an item: hides its start, and spreads one node

/// Takes the step of the elements [begin, begin + size) of row `node`.
template <class Rule>
void step_elements(const SgdUpdate& update, MatrixView<float> second, int node, std::int64_t begin, std::int64_t size,
                   VectorLevel level) {
  const auto at = [&](const auto& array) { return array.data ? array.row(node) + begin : nullptr; };
  const Rule rule(settings_of(update, node));
  const NodeStep step = node_step(update, node);
  const StepRows rows{.x = at(update.x),
                      .z = update.z_row(node) + begin,
                      .momentum = at(update.momentum),
                      .second = at(second),
                      .gradient = at(update.gradient),
                      .steps = at(update.steps)};
  std::uint32_t largest = 0;
  const auto loop = [&]() __attribute__((always_inline)) {
    largest = rows.steps ? step_loop<true>(rule, step, size, rows) : step_loop<false>(rule, step, size, rows);
  };
  run_vectorized(level, loop);
  if (largest >= kFirstNonFinite) mark_diverged(update, node);
}

/// Takes the step of all nodes, whose padding stays as it is. `second` [nodes, row]: the rule's other array, if it has
/// one.
template <class Rule>
void step_rows(const Cpu& cpu, const RowLayout& layout, const SgdUpdate& update, MatrixView<float> second = {}) {
  if (layout.segments.empty()) return;
  const std::int64_t tiles = divide_up(layout.row, kStepTile);
  cpu.pool().run(update.x.rows * tiles, [&](std::int64_t item, int) {
    const int node = static_cast<int>(item / tiles);
    const std::int64_t begin = item % tiles * kStepTile, end = std::min(begin + kStepTile, layout.row);
    const auto after = [](std::int64_t position, const Segment& s) { return position < s.begin; };
    auto segment = std::upper_bound(layout.segments.begin(), layout.segments.end(), begin, after) - 1;
    for (; segment != layout.segments.end() && segment->begin < end; ++segment) {
      const std::int64_t first = std::max(begin, segment->begin);
      const std::int64_t last = std::min(end, segment->begin + segment->size);
      if (first < last) step_elements<Rule>(update, second, node, first, last - first, cpu.vector_level());
    }
  });
}

}  // namespace sparsepush
