#include "kernels/nodes/sgd_update.h"

#include <algorithm>

#include "kernels/backend/check.h"
#include "kernels/nodes/sgd_loop.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kTile = 1 << 15;  // elements an item: enough to hide its start, few enough to spread one node

/// Applies the step to the elements [begin, begin + size) of row `node`. Returns false where it diverged.
bool update_elements(const SgdUpdate& update, int node, std::int64_t begin, std::int64_t size, VectorLevel level) {
  const NodeStep step = node_step(update, node);
  float* x = update.x.row(node) + begin;
  float* momentum = update.momentum.row(node) + begin;
  const float* gradient = update.gradient.row(node) + begin;
  std::uint32_t largest = 0;
  const auto loop = [&]() __attribute__((always_inline)) {
    largest = update.nesterov ? sgd_loop<true>(step, size, x, momentum, gradient)
                              : sgd_loop<false>(step, size, x, momentum, gradient);
  };
  run_vectorized(level, loop);
  return largest < kFirstNonFinite;
}

/// The elements of the row's tile [begin, end), without padding.
bool update_tile(const SgdUpdate& update, int node, const RowLayout& layout, std::int64_t begin, std::int64_t end,
                 VectorLevel level) {
  const auto after = [](std::int64_t position, const Segment& s) { return position < s.begin; };
  auto segment = std::upper_bound(layout.segments.begin(), layout.segments.end(), begin, after) - 1;
  bool finite = true;
  for (; segment != layout.segments.end() && segment->begin < end; ++segment) {
    const std::int64_t first = std::max(begin, segment->begin);
    const std::int64_t last = std::min(end, segment->begin + segment->size);
    if (first < last) finite &= update_elements(update, node, first, last - first, level);
  }
  return finite;
}

}  // namespace

void check_sgd_update_shapes(const RowLayout& layout, const SgdUpdate& update) {
  const int nodes = update.x.rows;
  CHECK(update.x.cols == layout.row, "x ", update.x, ", row ", layout.row);
  CHECK(update.momentum.rows == nodes && update.momentum.cols == update.x.cols, "momentum ", update.momentum, ", x ",
        update.x);
  CHECK(update.gradient.rows == nodes && update.gradient.cols == update.x.cols, "gradient ", update.gradient, ", x ",
        update.x);
  CHECK(update.u.size() == static_cast<std::size_t>(nodes), "u [", update.u.size(), "], nodes ", nodes);
  CHECK(!update.settings.empty() && nodes % update.settings.size() == 0, "settings [", update.settings.size(),
        "], nodes ", nodes);
  CHECK(update.diverged.size() == static_cast<std::size_t>(nodes), "diverged [", update.diverged.size(), "], nodes ",
        nodes);
}

void sgd_update(const Cpu& cpu, const RowLayout& layout, const SgdUpdate& update) {
  check_sgd_update_shapes(layout, update);
  if (layout.segments.empty()) return;
  const std::int64_t tiles = (layout.row + kTile - 1) / kTile;
  cpu.pool().run(update.x.rows * tiles, [&](std::int64_t item, int) {
    const int node = static_cast<int>(item / tiles);
    const std::int64_t begin = item % tiles * kTile;
    const std::int64_t end = std::min(begin + kTile, layout.row);
    if (!update_tile(update, node, layout, begin, end, cpu.vector_level())) mark_diverged(update, node);
  });
}

}  // namespace sparsepush
