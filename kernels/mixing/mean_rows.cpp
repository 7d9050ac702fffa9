#include "kernels/mixing/mean_rows.h"

#include <algorithm>

#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/multiversion.h"

namespace sparsepush {
namespace {

constexpr int kColumns = 1024;  // an item: the sums of a panel stay in the first level of cache

}  // namespace

void check_mean_rows_shapes(const MeanRows& mean) {
  CHECK(mean.replicas > 0 && mean.x.rows % mean.replicas == 0, "x ", mean.x, ", replicas ", mean.replicas);
  CHECK(mean.u.size() == static_cast<std::size_t>(mean.x.rows), "u [", mean.u.size(), "], x ", mean.x);
  CHECK(mean.due.empty() || mean.due.size() == static_cast<std::size_t>(mean.replicas), "due [", mean.due.size(),
        "], replicas ", mean.replicas);
}

void mean_rows(const Cpu& cpu, const MeanRows& mean) {
  check_mean_rows_shapes(mean);
  const int nodes = mean.x.rows / mean.replicas, panels = static_cast<int>(divide_up(mean.x.cols, kColumns));
  cpu.pool().run(std::int64_t{mean.replicas} * panels, [&](std::int64_t item, int worker) {
    if (!is_due(mean.due, item / panels)) return;
    const std::int64_t first = item / panels * nodes;
    const int begin = static_cast<int>(item % panels) * kColumns, width = std::min(kColumns, mean.x.cols - begin);
    const double weight = sum_of_weights(mean.u, first, nodes);
    const std::span<double> sums = cpu.pool().scratch<double>(worker, width);
    std::ranges::fill(sums, 0.0);
    run_vectorized(
        cpu.vector_level(), [&]() __attribute__((always_inline)) {
          for (std::int64_t i = first; i < first + nodes; ++i)
            for (int c = 0; c < width; ++c) sums[c] += static_cast<double>(mean.x.row(i)[begin + c]);
          for (std::int64_t i = first; i < first + nodes; ++i)
            for (int c = 0; c < width; ++c) mean.x.row(i)[begin + c] = static_cast<float>(sums[c] / weight);
        });
  });
}

}  // namespace sparsepush
