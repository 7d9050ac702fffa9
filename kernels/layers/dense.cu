#include <algorithm>

#include "kernels/layers/dense.h"
#include "kernels/layers/node_products.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

/// 16 x 16 threads, with kPer x kPer elements each.
template <int kPer>
using Square = TileShape<16, 16, kPer>;

using Rows = Matrix<true>;
using Columns = Matrix<false>;

/// output [samples, out] = input W^T + b; mapping as in `multiply_all`, a product per node.
template <int kPer>
__global__ void __launch_bounds__(Square<kPer>::kThreads, Square<kPer>::kBlocksTogether)
    dense_forward_kernel(DenseForward f, int samples) {
  const DenseLayer& layer = f.layer;
  const auto product_of = [&](std::int64_t node) -> Product<Rows, Rows> {
    return {.a = {f.input.row(node * samples), samples, layer.in},
            .b = {f.x.row(node) + layer.weight, layer.out, layer.in},
            .scale = debias_factor(f.u[node])};
  };
  multiply_all<Square<kPer>>(f.x.rows, samples, layer.out, product_of,
                             [&](const auto& product, const Place& at, float(&sum)[kPer]) {
                               const float* bias = f.x.row(at.product) + layer.bias + at.col;
                               for (int j = 0; j < kPer; ++j) {
                                 if (j < at.columns) sum[j] = sum[j] * product.scale + bias[j] * product.scale;
                                 if (f.relu && sum[j] < 0) sum[j] = 0;
                               }
                               store_run(sum, at.columns, f.output.row(at.product * samples + at.row) + at.col);
                             });
}

/// dW [out, in] = dY^T input, mapping as in `multiply_all`, a product per node; then db, a thread per (node, output) in
/// strides of the grid, samples in order.
template <int kPer>
__global__ void __launch_bounds__(Square<kPer>::kThreads, Square<kPer>::kBlocksTogether)
    dense_parameter_gradient_kernel(DenseBackward b, int samples) {
  const DenseLayer& layer = b.layer;
  const auto product_of = [&](std::int64_t node) -> Product<Columns, Columns> {
    return {.a = {b.output_gradient.row(node * samples), layer.out, samples},
            .b = {b.input.row(node * samples), layer.in, samples}};
  };
  multiply_all<Square<kPer>>(
      b.x.rows, layer.out, layer.in, product_of, [&](const auto&, const Place& at, float(&sum)[kPer]) {
        float* weights = b.gradient.row(at.product) + layer.weight;
        store_run(sum, at.columns, weights + static_cast<std::int64_t>(at.row) * layer.in + at.col);
      });
  for (std::int64_t i = grid_thread(); i < static_cast<std::int64_t>(b.x.rows) * layer.out; i += grid_threads()) {
    const std::int64_t node = i / layer.out, out = i % layer.out;
    float sum = 0;
    for (int s = 0; s < samples; ++s) sum += b.output_gradient.row(node * samples + s)[out];
    b.gradient.row(node)[layer.bias + out] = sum;
  }
}

/// dX [samples, in] = dY W, masked; mapping as in `multiply_all`, a product per node.
template <int kPer>
__global__ void __launch_bounds__(Square<kPer>::kThreads, Square<kPer>::kBlocksTogether)
    dense_input_gradient_kernel(DenseBackward b, int samples) {
  const DenseLayer& layer = b.layer;
  const auto product_of = [&](std::int64_t node) -> Product<Rows, Columns> {
    return {.a = {b.output_gradient.row(node * samples), samples, layer.out},
            .b = {b.x.row(node) + layer.weight, layer.in, layer.out},
            .scale = debias_factor(b.u[node])};
  };
  multiply_all<Square<kPer>>(b.x.rows, samples, layer.in, product_of,
                             [&](const auto& product, const Place& at, float(&sum)[kPer]) {
                               const std::int64_t row = at.product * samples + at.row;
                               const float* input = b.input.row(row) + at.col;
                               for (int j = 0; j < kPer; ++j) {
                                 sum[j] *= product.scale;
                                 if (b.relu && j < at.columns && input[j] <= 0) sum[j] = 0;
                               }
                               store_run(sum, at.columns, b.input_gradient.row(row) + at.col);
                             });
}

/// Calls launch_with(per, shape) for products [rows, cols] of all nodes.
template <class LaunchWith>
void with_squares(const Cuda& gpu, std::int64_t nodes, int rows, int cols, const LaunchWith& launch_with) {
  with_tile_side(std::min(rows, cols),
                 [&](auto per) { launch_with(per, launch_shape<Square<per()>>(gpu, nodes, rows, cols)); });
}

}  // namespace

void dense_forward(const Cuda& gpu, const DenseForward& forward) {
  check_dense_forward_shapes(forward);
  const int nodes = forward.x.rows, samples = forward.input.rows / nodes;
  with_squares(gpu, nodes, samples, forward.layer.out, [&](auto per, const LaunchShape& shape) {
    launch(gpu, shape, dense_forward_kernel<per()>, forward, samples);
  });
}

void dense_backward(const Cuda& gpu, const DenseBackward& backward) {
  check_dense_backward_shapes(backward);
  const DenseLayer& layer = backward.layer;
  const int nodes = backward.x.rows, samples = backward.input.rows / nodes;
  with_squares(gpu, nodes, layer.out, layer.in, [&](auto per, const LaunchShape& shape) {
    launch(gpu, shape, dense_parameter_gradient_kernel<per()>, backward, samples);
  });
  if (backward.input_gradient.data == nullptr) return;
  with_squares(gpu, nodes, samples, layer.in, [&](auto per, const LaunchShape& shape) {
    launch(gpu, shape, dense_input_gradient_kernel<per()>, backward, samples);
  });
}

}  // namespace sparsepush
