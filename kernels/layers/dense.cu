#include <algorithm>
#include <type_traits>

#include "kernels/backend/cuda_launch.h"
#include "kernels/layers/dense.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

constexpr int kSide = 16;  // a block's threads are a square; each has kPer x kPer elements of a tile, kSide apart
constexpr int kThreads = kSide * kSide;
constexpr int kBlocksTogether = 2;  // without this ptxas saves registers until one kernel spills
constexpr int kDepth = 16;          // terms of every sum that stand in shared memory at once
constexpr int kPadding = 2;         // columns: a warp stores 16 terms of 2 vectors without meeting a bank twice

/// One side of a product: `count` vectors of `depth` terms each, the rows of a matrix or its columns.
struct Operand {
  const float* data;  ///< [count, depth] or [depth, count]
  int count, depth;
  bool vectors_are_rows;

  constexpr float at(std::int64_t vector, std::int64_t term) const {
    return data[vectors_are_rows ? vector * depth + term : term * count + vector];
  }
};

/// C[i, j] = scale * sum over k of a[i, k] b[j, k].
struct NodeProduct {
  Operand a, b;
  float scale;
};

/// What a tile's sums read.
template <int kPer>
struct Tile {
  static constexpr int kSize = kSide * kPer;
  float a[kDepth][kSize + kPadding], b[kDepth][kSize + kPadding];
};

/// Copies the terms from `k` on of the vectors from `first` on, and zeros beyond the end. Neighbouring threads take
/// what stands side by side in memory.
template <int kColumns>
__device__ void load_tile(const Operand& from, int first, int k, float (&tile)[kDepth][kColumns]) {
  constexpr int kSize = kColumns - kPadding;
  for (int e = threadIdx.x; e < kSize * kDepth; e += kThreads) {
    const int vector = from.vectors_are_rows ? e / kDepth : e % kSize;
    const int term = from.vectors_are_rows ? e % kDepth : e / kSize;
    const bool inside = first + vector < from.count && k + term < from.depth;
    tile[term][vector] = inside ? from.at(first + vector, k + term) : 0.0f;
  }
}

/// Adds up the thread's sums of the tile at (row, col), terms in order. The whole block calls it.
template <int kPer>
__device__ void sum_tile(const NodeProduct& p, int row, int col, float (&sum)[kPer][kPer]) {
  Tile<kPer>& tile = *dynamic_shared<Tile<kPer>>();
  const int y = threadIdx.x / kSide, x = threadIdx.x % kSide;
  for (int k = 0; k < p.a.depth; k += kDepth) {
    load_tile(p.a, row, k, tile.a);
    load_tile(p.b, col, k, tile.b);
    __syncthreads();
    for (int term = 0; term < kDepth; ++term)
      for (int i = 0; i < kPer; ++i)
        for (int j = 0; j < kPer; ++j)
          sum[i][j] = __fmaf_rn(tile.a[term][y + i * kSide], tile.b[term][x + j * kSide], sum[i][j]);
    __syncthreads();
  }
}

/// The products product_of(node) of all nodes, each [rows, cols]; write(node, row, col, sum) receives the scaled sums.
/// One block per (node, tile), in strides of the grid, so that the order of a sum depends on the layer only.
template <int kPer, class ProductOf, class Write>
__device__ void multiply_nodes(std::int64_t nodes, const ProductOf& product_of, const Write& write) {
  constexpr int kSize = Tile<kPer>::kSize;
  const NodeProduct any = product_of(0);
  const int rows = any.a.count, cols = any.b.count;
  const std::int64_t across = divide_up(cols, kSize), tiles = divide_up(rows, kSize) * across;
  for (std::int64_t item = blockIdx.x; item < nodes * tiles; item += gridDim.x) {
    const std::int64_t node = item / tiles;
    const int row = static_cast<int>(item % tiles / across) * kSize, col = static_cast<int>(item % across) * kSize;
    const NodeProduct product = product_of(node);
    float sum[kPer][kPer] = {};
    sum_tile<kPer>(product, row, col, sum);
    for (int i = 0; i < kPer; ++i)
      for (int j = 0; j < kPer; ++j) {
        const int r = row + threadIdx.x / kSide + i * kSide, c = col + threadIdx.x % kSide + j * kSide;
        if (r < rows && c < cols) write(node, r, c, sum[i][j] * product.scale);
      }
  }
}

/// output [samples, out] = input W^T + b; mapping as in `multiply_nodes`.
template <int kPer>
__global__ void __launch_bounds__(kThreads, kBlocksTogether) dense_forward_kernel(DenseForward f, int samples) {
  const DenseLayer& layer = f.layer;
  const auto product_of = [&](std::int64_t node) -> NodeProduct {
    return {.a = {f.input.row(node * samples), samples, layer.in, true},
            .b = {f.x.row(node) + layer.weight, layer.out, layer.in, true},
            .scale = debias_factor(f.u[node])};
  };
  multiply_nodes<kPer>(f.x.rows, product_of, [&](std::int64_t node, int sample, int out, float sum) {
    const float value = sum + f.x.row(node)[layer.bias + out] * debias_factor(f.u[node]);
    f.output.row(node * samples + sample)[out] = f.relu && value < 0 ? 0.0f : value;
  });
}

/// dW [out, in] = dY^T input, mapping as in `multiply_nodes`; then db, a thread per (node, output) in strides of the
/// grid, samples in order.
template <int kPer>
__global__ void __launch_bounds__(kThreads, kBlocksTogether)
    dense_parameter_gradient_kernel(DenseBackward b, int samples) {
  const DenseLayer& layer = b.layer;
  const auto product_of = [&](std::int64_t node) -> NodeProduct {
    return {.a = {b.output_gradient.row(node * samples), layer.out, samples, false},
            .b = {b.input.row(node * samples), layer.in, samples, false},
            .scale = 1};
  };
  multiply_nodes<kPer>(b.x.rows, product_of, [&](std::int64_t node, int out, int in, float sum) {
    b.gradient.row(node)[layer.weight + static_cast<std::int64_t>(out) * layer.in + in] = sum;
  });
  for (std::int64_t i = grid_thread(); i < static_cast<std::int64_t>(b.x.rows) * layer.out; i += grid_threads()) {
    const std::int64_t node = i / layer.out, out = i % layer.out;
    float sum = 0;
    for (int s = 0; s < samples; ++s) sum += b.output_gradient.row(node * samples + s)[out];
    b.gradient.row(node)[layer.bias + out] = sum;
  }
}

/// dX [samples, in] = dY W, masked; mapping as in `multiply_nodes`.
template <int kPer>
__global__ void __launch_bounds__(kThreads, kBlocksTogether) dense_input_gradient_kernel(DenseBackward b, int samples) {
  const DenseLayer& layer = b.layer;
  const auto product_of = [&](std::int64_t node) -> NodeProduct {
    return {.a = {b.output_gradient.row(node * samples), samples, layer.out, true},
            .b = {b.x.row(node) + layer.weight, layer.in, layer.out, false},
            .scale = debias_factor(b.u[node])};
  };
  multiply_nodes<kPer>(b.x.rows, product_of, [&](std::int64_t node, int sample, int in, float sum) {
    const std::int64_t row = node * samples + sample;
    b.input_gradient.row(row)[in] = b.relu && b.input.row(row)[in] <= 0 ? 0.0f : sum;
  });
}

/// Calls launch_with(per, shape) with the elements a thread has along a side, for a product [rows, cols] per node:
/// tiles as large as the matrix is, up to 64 x 64, beyond which they would read less but take more registers.
template <class LaunchWith>
void with_tiles(const Cuda& gpu, std::int64_t nodes, int rows, int cols, const LaunchWith& launch_with) {
  const auto run = [&](auto per) {
    constexpr int kSize = kSide * per();
    const std::int64_t tiles = divide_up(rows, kSize) * divide_up(cols, kSize);
    launch_with(
        per, LaunchShape{
                 .blocks = blocks_for(gpu, nodes * tiles), .threads = kThreads, .shared_bytes = sizeof(Tile<per()>)});
  };
  const int narrow = std::min(rows, cols);
  if (narrow <= kSide)
    run(std::integral_constant<int, 1>{});
  else if (narrow <= 2 * kSide)
    run(std::integral_constant<int, 2>{});
  else
    run(std::integral_constant<int, 4>{});
}

}  // namespace

void dense_forward(const Cuda& gpu, const DenseForward& forward) {
  check_dense_forward_shapes(forward);
  const int nodes = forward.x.rows, samples = forward.input.rows / nodes;
  with_tiles(gpu, nodes, samples, forward.layer.out, [&](auto per, const LaunchShape& shape) {
    launch(gpu, shape, dense_forward_kernel<per()>, forward, samples);
  });
}

void dense_backward(const Cuda& gpu, const DenseBackward& backward) {
  check_dense_backward_shapes(backward);
  const DenseLayer& layer = backward.layer;
  const int nodes = backward.x.rows, samples = backward.input.rows / nodes;
  with_tiles(gpu, nodes, layer.out, layer.in, [&](auto per, const LaunchShape& shape) {
    launch(gpu, shape, dense_parameter_gradient_kernel<per()>, backward, samples);
  });
  if (backward.input_gradient.data == nullptr) return;
  with_tiles(gpu, nodes, samples, layer.in, [&](auto per, const LaunchShape& shape) {
    launch(gpu, shape, dense_input_gradient_kernel<per()>, backward, samples);
  });
}

}  // namespace sparsepush
