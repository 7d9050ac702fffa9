#include "kernels/messages/low_rank.h"

#include <algorithm>
#include <cmath>

#include "kernels/backend/check.h"
#include "kernels/backend/multiversion.h"
#include "kernels/backend/ordered_sum_loop.h"
#include "kernels/nodes/statistics.h"

namespace sparsepush {
namespace {

/// Sum of a[i stride_a] b[i stride_b].
[[gnu::always_inline]] inline double dot(std::int64_t count, const float* a, std::int64_t stride_a, const float* b,
                                         std::int64_t stride_b) {
  return ordered_sum_loop<kStatisticsLanes>(
      count, [=](std::int64_t i) __attribute__((always_inline)) {
        return static_cast<double>(a[i * stride_a]) * static_cast<double>(b[i * stride_b]);
      });
}

/// One matrix of one node.
struct Matrix {
  LowRankTensor shape;
  float *m, *q;  ///< [rows, columns]
  float* w;      ///< [columns, rank]
  float* p;      ///< [rows, rank]
  float* norm;   ///< [rank]
};

/// Makes column c of P orthogonal to those before it, and of norm 1 or 0.
[[gnu::always_inline]] inline void orthogonalize(const Matrix& x, std::int64_t c) {
  const auto [rows, rank] = std::pair(x.shape.rows, x.shape.rank);
  for (std::int64_t k = 0; k < c; ++k) {
    const auto along = static_cast<float>(dot(rows, x.p + k, rank, x.p + c, rank));
    for (std::int64_t a = 0; a < rows; ++a) x.p[a * rank + c] = std::fma(-along, x.p[a * rank + k], x.p[a * rank + c]);
  }
  const double norm = std::sqrt(dot(rows, x.p + c, rank, x.p + c, rank));
  for (std::int64_t a = 0; a < rows; ++a) {
    float& p = x.p[a * rank + c];
    p = norm == 0 ? 0.0f : static_cast<float>(static_cast<double>(p) / norm);
  }
  x.norm[c] = norm == 0 ? 0.0f : 1.0f;
}

[[gnu::always_inline]] inline void compress_matrix(const Matrix& x) {
  const auto [begin, rows, columns, rank, factor_begin] = x.shape;
  for (std::int64_t a = 0; a < rows; ++a)
    for (std::int64_t c = 0; c < rank; ++c)
      x.p[a * rank + c] = static_cast<float>(dot(columns, x.m + a * columns, 1, x.w + c, rank));
  for (std::int64_t c = 0; c < rank; ++c) orthogonalize(x, c);
  for (std::int64_t b = 0; b < columns; ++b)
    for (std::int64_t c = 0; c < rank; ++c)
      if (x.norm[c] != 0) x.w[b * rank + c] = static_cast<float>(dot(rows, x.m + b, columns, x.p + c, rank));
  for (std::int64_t a = 0; a < rows; ++a)
    for (std::int64_t b = 0; b < columns; ++b) {
      float q = 0;
      for (std::int64_t c = 0; c < rank; ++c)
        q = std::fma(x.p[a * rank + c], x.norm[c] != 0 ? x.w[b * rank + c] : 0.0f, q);
      x.q[a * columns + b] = q;
      x.m[a * columns + b] -= q;
    }
}

}  // namespace

LowRankPlan make_low_rank_plan(const RowLayout& layout, int rank) {
  LowRankPlan plan;
  for (const Segment& segment : layout.segments) {
    LowRankTensor tensor{.begin = segment.begin, .rows = segment.rows, .columns = segment.size / segment.rows};
    const std::int64_t smaller = std::min(tensor.rows, tensor.columns), r = std::min<std::int64_t>(rank, smaller);
    const std::int64_t factored = r * (tensor.rows + tensor.columns);
    if (smaller == 1 || factored >= tensor.elements()) {
      plan.values += tensor.elements();
    } else {
      tensor.rank = r;
      tensor.factor_begin = plan.factors;
      plan.factors += tensor.columns * r;
      plan.values += factored;
      plan.scratch = std::max(plan.scratch, (tensor.rows + 1) * r);
    }
    plan.tensors.push_back(tensor);
  }
  return plan;
}

void check_low_rank_shapes(const LowRank& message) {
  CHECK(message.q.cols == message.v.cols && message.q.rows >= message.v.rows, "v ", message.v, ", q ", message.q);
  CHECK(message.factor.rows == message.v.rows, "v ", message.v, ", factors ", message.factor);
}

void low_rank(const Cpu& cpu, const LowRank& message) {
  check_low_rank_shapes(message);
  const std::int64_t tensors = std::ssize(message.tensors);
  cpu.pool().run(message.v.rows * tensors, [&](std::int64_t item, int worker) {
    const std::int64_t row = item / tensors;
    const LowRankTensor& tensor = message.tensors[item % tensors];
    float* const v = message.v.row(row) + tensor.begin;
    float* const q = message.q.row(row) + tensor.begin;
    if (tensor.rank == 0) {
      std::copy_n(v, tensor.elements(), q);
      for (std::int64_t i = 0; i < tensor.elements(); ++i) v[i] -= q[i];
      return;
    }
    float* const p = cpu.pool().scratch<float>(worker, message.scratch).data();
    const Matrix matrix{tensor, v, q, message.factor.row(row) + tensor.factor_begin, p, p + tensor.rows * tensor.rank};
    run_vectorized(
        cpu.vector_level(), [&]() __attribute__((always_inline)) { compress_matrix(matrix); });
  });
}

}  // namespace sparsepush
