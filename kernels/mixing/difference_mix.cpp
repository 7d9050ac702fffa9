#include "kernels/mixing/difference_mix.h"

#include <algorithm>
#include <cmath>

#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/multiversion.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kTile = 2048;  // columns of a node an item: sums and its own values stay in the first level

/// sum += weight * (theirs - own).
[[gnu::always_inline]] inline void add_difference(float weight, const float* __restrict theirs,
                                                  const float* __restrict own, float* __restrict sum,
                                                  std::int64_t columns) {
  for (std::int64_t c = 0; c < columns; ++c) sum[c] = std::fma(weight, theirs[c] - own[c], sum[c]);
}

}  // namespace

void check_difference_mix_shapes(const DifferenceMix& mix) {
  CHECK(mix.sum.cols % 4 == 0, "sum ", mix.sum);
  CHECK(mix.q.rows >= mix.sum.rows && mix.q.cols == mix.sum.cols, "q ", mix.q, ", sum ", mix.sum);
  CHECK(mix.q.data != mix.sum.data || mix.sum.size() == 0, "q and sum are the same rows");
  check_round_edges(mix.edges, mix.sum.rows, mix.q.rows, mix.mixed);
}

void difference_mix(const Cpu& cpu, const DifferenceMix& mix) {
  check_difference_mix_shapes(mix);
  check_round_edge_values(mix.edges, mix.q.rows, mix.mixed);
  const std::int64_t tiles = divide_up(mix.sum.cols, kTile);
  cpu.pool().run(mix.sum.rows * tiles, [&](std::int64_t item, int) {
    const std::int64_t node = item / tiles, begin = item % tiles * kTile;
    if (!is_mixed(mix.edges, mix.mixed, node)) return;
    const std::int64_t columns = std::min<std::int64_t>(kTile, mix.sum.cols - begin);
    float* const sum = mix.sum.row(node) + begin;
    const float* const own = mix.q.row(node) + begin;
    std::fill_n(sum, columns, 0.0f);
    const auto add_all = [&]() __attribute__((always_inline)) {
      for (std::int64_t e = mix.edges.begin[node]; e < mix.edges.begin[node + 1]; ++e)
        add_difference(mix.edges.weight[e], mix.q.row(mix.edges.slot[e]) + begin, own, sum, columns);
    };
    run_vectorized(cpu.vector_level(), add_all);
  });
}

}  // namespace sparsepush
