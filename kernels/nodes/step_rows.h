// The step of any optimizer on the Cpu, over all nodes' rows.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/nodes/sgd_loop.h"

namespace sparsepush {

inline constexpr std::int64_t kStepTile = 1 << 15;  // elements an item: hides its start, and spreads one node

/// `size` neighbouring elements, all pointers being to the first. Returns the largest magnitude bits of the new x.
template <bool kSteps, class Rule>
[[gnu::always_inline]] inline std::uint32_t step_loop(const Rule rule, NodeStep s, std::int64_t size, float* x,
                                                      const float* z, float* __restrict momentum,
                                                      float* __restrict second, const float* __restrict gradient,
                                                      float* __restrict steps) {
  std::uint32_t largest = 0;
#pragma GCC ivdep  // z may be x; the other arrays are distinct
  for (std::int64_t i = 0; i < size; ++i) {
    float none = 0;
    float& other = Rule::kHasSecond ? second[i] : none;
    const float direction = rule.direction(s, z[i] * s.inverse_u, momentum[i], other, gradient[i]);
    const float next = std::fma(-s.lr, direction, x[i]);
    if constexpr (kSteps) steps[i] = std::fma(-s.lr, direction, steps[i]);
    x[i] = next;
    largest = std::max(largest, std::bit_cast<std::uint32_t>(next) & 0x7fff'ffffu);
  }
  return largest;
}

/// The elements [begin, begin + size) of row `node`.
template <class Rule>
void step_elements(const SgdUpdate& update, MatrixView<float> second, int node, std::int64_t begin, std::int64_t size,
                   VectorLevel level) {
  const auto at = [&](const auto& array) { return array.data ? array.row(node) + begin : nullptr; };
  const Rule rule(settings_of(update, node));
  const NodeStep step = node_step(update, node);
  float *const x = at(update.x), *const momentum = at(update.momentum), *const more = at(second);
  const float *const z = update.z_row(node) + begin, *const gradient = at(update.gradient);
  float* const steps = at(update.steps);
  std::uint32_t largest = 0;
  const auto loop = [&]() __attribute__((always_inline)) {
    largest = steps ? step_loop<true>(rule, step, size, x, z, momentum, more, gradient, steps)
                    : step_loop<false>(rule, step, size, x, z, momentum, more, gradient, nullptr);
  };
  run_vectorized(level, loop);
  if (largest >= kFirstNonFinite) mark_diverged(update, node);
}

/// The step of all nodes, whose padding stays as it is. `second` [nodes, row]: the rule's other array, if it has one.
template <class Rule>
void step_rows(const Cpu& cpu, const RowLayout& layout, const SgdUpdate& update, MatrixView<float> second = {}) {
  if (layout.segments.empty()) return;
  const std::int64_t tiles = (layout.row + kStepTile - 1) / kStepTile;
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
