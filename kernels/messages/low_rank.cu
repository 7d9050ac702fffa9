#include <algorithm>

#include "kernels/backend/check.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/ordered_sum.h"
#include "kernels/messages/low_rank.h"
#include "kernels/nodes/statistics.h"

namespace sparsepush {
namespace {

/// Elements of a matrix that stand `stride` apart.
struct Strided {
  const float* first;
  std::int64_t stride;

  __device__ double operator()(std::int64_t i) const { return static_cast<double>(first[i * stride]); }
};

/// One thread's sum in the fixed order: partial sum by partial sum, so that none needs memory.
__device__ float dot(std::int64_t count, const Strided& a, const Strided& b) {
  double sum = 0;
  for (std::int64_t lane = 0; lane < kStatisticsLanes; ++lane) {
    double part = 0;
    for (std::int64_t i = lane; i < count; i += kStatisticsLanes) part += a(i) * b(i);
    sum += part;
  }
  return static_cast<float>(sum);
}

/// The same by a block, for all of its threads.
__device__ double block_dot(std::int64_t count, const Strided& a, const Strided& b) {
  return ordered_sum_for_all<kStatisticsLanes>(count, [&](std::int64_t i) { return a(i) * b(i); });
}

/// One matrix of one node.
struct Matrix {
  LowRankTensor shape;
  float *m, *q;  ///< [rows, columns]
  float* w;      ///< [columns, rank]
  float* p;      ///< [rows, rank]
  float* norm;   ///< [rank]

  __device__ Strided row_of_m(std::int64_t a) const { return {m + a * shape.columns, 1}; }
  __device__ Strided column_of_m(std::int64_t b) const { return {m + b, shape.columns}; }
  __device__ Strided column_of_w(std::int64_t c) const { return {w + c, shape.rank}; }
  __device__ Strided column_of_p(std::int64_t c) const { return {p + c, shape.rank}; }
};

/// Makes column c of P orthogonal to those before it, and of norm 1 or 0.
__device__ void orthogonalize(const Matrix& x, std::int64_t c) {
  const std::int64_t rows = x.shape.rows, rank = x.shape.rank;
  for (std::int64_t k = 0; k < c; ++k) {
    const auto along = static_cast<float>(block_dot(rows, x.column_of_p(k), x.column_of_p(c)));
    for (std::int64_t a = threadIdx.x; a < rows; a += blockDim.x)
      x.p[a * rank + c] = __fmaf_rn(-along, x.p[a * rank + k], x.p[a * rank + c]);
    __syncthreads();
  }
  const double norm = std::sqrt(block_dot(rows, x.column_of_p(c), x.column_of_p(c)));
  for (std::int64_t a = threadIdx.x; a < rows; a += blockDim.x) {
    float& p = x.p[a * rank + c];
    p = norm == 0 ? 0.0f : static_cast<float>(static_cast<double>(p) / norm);
  }
  if (threadIdx.x == 0) x.norm[c] = norm == 0 ? 0.0f : 1.0f;
  __syncthreads();
}

/// By a block, whose threads take elements of P, then of Q, then of q in turn.
__device__ void compress_matrix(const Matrix& x) {
  const std::int64_t rows = x.shape.rows, columns = x.shape.columns, rank = x.shape.rank;
  for (std::int64_t i = threadIdx.x; i < rows * rank; i += blockDim.x)
    x.p[i] = dot(columns, x.row_of_m(i / rank), x.column_of_w(i % rank));
  __syncthreads();
  for (std::int64_t c = 0; c < rank; ++c) orthogonalize(x, c);
  for (std::int64_t i = threadIdx.x; i < columns * rank; i += blockDim.x)
    if (x.norm[i % rank] != 0) x.w[i] = dot(rows, x.column_of_m(i / rank), x.column_of_p(i % rank));
  __syncthreads();
  for (std::int64_t i = threadIdx.x; i < rows * columns; i += blockDim.x) {
    const std::int64_t a = i / columns, b = i % columns;
    float q = 0;
    for (std::int64_t c = 0; c < rank; ++c)
      q = __fmaf_rn(x.p[a * rank + c], x.norm[c] != 0 ? x.w[b * rank + c] : 0.0f, q);
    x.q[i] = q;
    x.m[i] -= q;
  }
  __syncthreads();  // the next matrix has its P here
}

/// One block per tensor of a node, in strides of the grid. scratch: [blocks, message.scratch].
__global__ void low_rank_kernel(LowRank message, float* scratch) {
  const std::int64_t tensors = std::ssize(message.tensors);
  for (std::int64_t item = blockIdx.x; item < message.v.rows * tensors; item += gridDim.x) {
    const std::int64_t row = item / tensors;
    const LowRankTensor tensor = message.tensors[item % tensors];
    float* const v = message.v.row(row) + tensor.begin;
    float* const q = message.q.row(row) + tensor.begin;
    if (tensor.rank == 0) {
      for (std::int64_t i = threadIdx.x; i < tensor.elements(); i += blockDim.x) {
        q[i] = v[i];
        v[i] -= q[i];
      }
      continue;
    }
    float* const p = scratch + blockIdx.x * message.scratch;
    compress_matrix({tensor, v, q, message.factor.row(row) + tensor.factor_begin, p, p + tensor.rows * tensor.rank});
  }
}

}  // namespace

void low_rank(const Cuda& gpu, const LowRank& message) {
  check_low_rank_shapes(message);
  const std::int64_t items = message.v.rows * std::ssize(message.tensors);
  if (items == 0) return;
  CHECK(message.workspace.rows > 0 && message.workspace.cols >= message.scratch, "workspace ", message.workspace,
        ", scratch ", message.scratch);
  LaunchShape shape = ordered_sum_shape(gpu, items);
  shape.blocks = std::min(shape.blocks, message.workspace.rows);
  launch(gpu, shape, low_rank_kernel, message, message.workspace.data);
}

}  // namespace sparsepush
