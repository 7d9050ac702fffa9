// Dense messages of low rank: each matrix as a product P Q', by one step of the power method [PowerSGD].
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"
#include "kernels/nodes/row_layout.h"

namespace sparsepush {

/// A tensor as matrix [rows, columns], row-major; rank 0: it is sent as it is.
struct LowRankTensor {
  std::int64_t begin = 0;  ///< in the padded row
  std::int64_t rows = 0, columns = 0;
  std::int64_t rank = 0;
  std::int64_t factor_begin = 0;  ///< of its W [columns, rank] in a row of factors

  constexpr std::int64_t elements() const { return rows * columns; }
};

/// What becomes of each tensor of a node, fixed before the run.
struct LowRankPlan {
  std::vector<LowRankTensor> tensors;
  std::int64_t factors = 0;  ///< elements of all W
  std::int64_t values = 0;   ///< of a message: those of P and Q, and tensors that are sent as they are
  std::int64_t scratch = 0;  ///< elements of the largest P, and a norm for each of its columns
};

/// Plans r = min(rank, rows, columns) for each matrix; as they are go tensors of one row or column, and those with r
/// (rows + columns) >= rows columns.
LowRankPlan make_low_rank_plan(const RowLayout& layout, int rank);

/// Arguments of `low_rank`, in backend memory. Padding stays as it is.
struct LowRank {
  MatrixView<float> v;                     ///< [nodes, row] becomes v - q, one subtraction an element
  MatrixView<float> q;                     ///< [slots >= nodes, row] written: the first rows are the local nodes'
  MatrixView<float> factor;                ///< [nodes, factors] W, replaced by Q where a column of P is not 0
  std::span<const LowRankTensor> tensors;  ///< [tensors] the plan's
  std::int64_t scratch = 0;                ///< the plan's
  MatrixView<float> workspace = {};        ///< [matrices at once, scratch] of a GPU; the Cpu has its own
};

inline constexpr int kMostMatricesAtOnce = 1024;  ///< for which a workspace is of use

/// Compresses v to products of low rank and leaves them in q. Per matrix M of v, with exact products, sums in double
/// (element j is added to partial sum j mod 16, these in order) and one rounding to fp32:
///   P[a][c] = sum_b M[a][b] W[b][c]; then for c = 0, 1, ...: for k < c in order: dot = sum_a P[a][k] P[a][c], and
///   P[a][c] = fma(-dot, P[a][k], P[a][c]); norm = sqrt(sum_a P[a][c]^2) in double; P[a][c] = P[a][c] / norm, or +0
///   where that is 0; Q[b][c] = sum_a M[a][b] P[a][c]; q[a][b] = 0, and over c q = fma(P[a][c], Q[b][c], q).
/// A tensor that is sent as it is: q = v. Backends agree exactly (NaN payloads aside).
void low_rank(const Cpu& cpu, const LowRank& message);
void low_rank(const Cuda& gpu, const LowRank& message);

/// Checks the shapes above.
void check_low_rank_shapes(const LowRank& message);

}  // namespace sparsepush
