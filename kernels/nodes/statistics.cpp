#include "kernels/nodes/statistics.h"

#include <algorithm>

#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/multiversion.h"
#include "kernels/backend/ordered_sum_loop.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kColumns = 2048;  // of the sums that a worker keeps in L1 while it walks down the rows

/// Sum of term(c)^2 over the columns.
template <class Term>
[[gnu::always_inline]] inline double squared_sum(std::int64_t columns, const Term& term) {
  return ordered_sum_loop<kStatisticsLanes>(
      columns, [&](std::int64_t c) __attribute__((always_inline)) { return term(c) * term(c); });
}

}  // namespace

void check_add_rows_shapes(MatrixView<const float> x, std::int64_t first, std::span<const double> sums) {
  CHECK(first >= 0 && first + std::ssize(sums) <= x.cols, "sums [", sums.size(), "] from column ", first, ", x ", x);
}

void add_rows(const Cpu& cpu, MatrixView<const float> x, std::int64_t first, std::span<double> sums) {
  check_add_rows_shapes(x, first, sums);
  cpu.pool().run(divide_up(std::ssize(sums), kColumns), [&](std::int64_t item, int) {
    const std::int64_t begin = item * kColumns, size = std::min(kColumns, std::ssize(sums) - begin);
    const auto add_columns = [&]() __attribute__((always_inline)) {
      double* __restrict sum = sums.data() + begin;
      for (std::int64_t i = 0; i < x.rows; ++i) {
        const float* __restrict row = x.row(i) + first + begin;
        for (std::int64_t c = 0; c < size; ++c) sum[c] += static_cast<double>(row[c]);
      }
    };
    run_vectorized(cpu.vector_level(), add_columns);
  });
}

void check_squared_distances_shapes(MatrixView<const float> x, std::span<const double> u,
                                    std::span<const double> center, std::span<const double> distance) {
  CHECK(u.size() == static_cast<std::size_t>(x.rows) && distance.size() == u.size(), "u [", u.size(), "], distance [",
        distance.size(), "], x ", x);
  CHECK(center.size() == static_cast<std::size_t>(x.cols), "center [", center.size(), "], x ", x);
}

void squared_distances(const Cpu& cpu, MatrixView<const float> x, std::span<const double> u,
                       std::span<const double> center, std::span<double> distance) {
  check_squared_distances_shapes(x, u, center, distance);
  cpu.pool().run(x.rows, [&](std::int64_t i, int) {
    const auto take_distance = [&]() __attribute__((always_inline)) {
      const float* row = x.row(i);
      distance[i] = squared_sum(
          x.cols, [ row, weight = u[i], mean = center.data() ](std::int64_t c)
                      __attribute__((always_inline)) { return row[c] / weight - mean[c]; });
    };
    run_vectorized(cpu.vector_level(), take_distance);
  });
}

void check_squared_norms_shapes(MatrixView<const float> x, std::span<const double> norm) {
  CHECK(norm.size() == static_cast<std::size_t>(x.rows), "norm [", norm.size(), "], x ", x);
}

void squared_norms(const Cpu& cpu, MatrixView<const float> x, std::span<double> norm) {
  check_squared_norms_shapes(x, norm);
  cpu.pool().run(x.rows, [&](std::int64_t i, int) {
    const auto take_norm = [&]() __attribute__((always_inline)) {
      const float* row = x.row(i);
      norm[i] = squared_sum(
          x.cols, [row](std::int64_t c) __attribute__((always_inline)) { return static_cast<double>(row[c]); });
    };
    run_vectorized(cpu.vector_level(), take_norm);
  });
}

}  // namespace sparsepush
