#include "kernels/messages/quantize.h"

#include <algorithm>

#include "kernels/backend/check.h"
#include "kernels/backend/multiversion.h"
#include "kernels/backend/ordered_sum_loop.h"
#include "kernels/messages/quantize_terms.h"
#include "kernels/nodes/statistics.h"

namespace sparsepush {
namespace {

/// Writes q and takes it from v, four elements to a draw.
template <class Tensor>
[[gnu::always_inline]] inline void quantize_tensor(const Tensor& tensor, std::int64_t size, float* v, float* q) {
  for (std::int64_t first = 0; first < size; first += 4) {
    const PhiloxBlock words = tensor.words(first / 4);
    for (std::int64_t i = first; i < std::min(first + 4, size); ++i) {
      q[i] = tensor.quantized(v[i], words[i - first]);
      v[i] -= q[i];
    }
  }
}

/// Tensors of all nodes, one an item.
template <class Rule>
void quantize_rows(const Cpu& cpu, const RowLayout& layout, const Quantize& quantize, const Rule& rule) {
  const std::int64_t tensors = std::ssize(layout.segments);
  cpu.pool().run(quantize.v.rows * tensors, [&](std::int64_t item, int) {
    const std::int64_t row = item / tensors;
    const Segment& segment = layout.segments[item % tensors];
    float* const v = quantize.v.row(row) + segment.begin;
    float* const q = quantize.q.row(row) + segment.begin;
    run_vectorized(
        cpu.vector_level(), [&]() __attribute__((always_inline)) {
          const double sum = ordered_sum_loop<kStatisticsLanes>(
              segment.size, [v](std::int64_t i) __attribute__((always_inline)) { return Rule::term(v[i]); });
          quantize_tensor(rule.tensor(row, segment, sum), segment.size, v, q);
        });
  });
}

}  // namespace

void check_quantize_shapes(const RowLayout& layout, const Quantize& quantize) {
  CHECK(quantize.v.cols == layout.row && quantize.q.cols == layout.row, "v ", quantize.v, ", q ", quantize.q, ", row ",
        layout.row);
  CHECK(quantize.q.rows >= quantize.v.rows, "v ", quantize.v, ", q ", quantize.q);
}

void check_levels(const Quantize& quantize, const Levels& levels) {
  const auto replicas = levels.draws.seed.size();
  CHECK(levels.levels >= 1, "levels ", levels.levels);
  CHECK(replicas > 0 && quantize.v.rows % replicas == 0, "replicas ", replicas, ", v ", quantize.v);
  CHECK(levels.draws.round != nullptr, "no round");
}

void quantize_to_levels(const Cpu& cpu, const RowLayout& layout, const Quantize& quantize, const Levels& levels) {
  check_quantize_shapes(layout, quantize);
  check_levels(quantize, levels);
  quantize_rows(cpu, layout, quantize, ToLevels{levels, quantize.v.rows});
}

void quantize_to_signs(const Cpu& cpu, const RowLayout& layout, const Quantize& quantize) {
  check_quantize_shapes(layout, quantize);
  quantize_rows(cpu, layout, quantize, ToSigns{});
}

}  // namespace sparsepush
