#include "kernels/layers/dense.h"

#include <cblas.h>

#include <algorithm>

#include "kernels/backend/check.h"
#include "kernels/backend/multiversion.h"
#include "kernels/layers/matrix_product.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

struct BiasRelu {
  const float* bias;  ///< [out] at x
  float r;
  float* output;  ///< [samples, out]
  int samples, out;
  bool relu;
};

void add_bias(const BiasRelu* b) {
  for (int s = 0; s < b->samples; ++s) {
    float* row = b->output + static_cast<std::int64_t>(s) * b->out;
    for (int o = 0; o < b->out; ++o) row[o] += b->bias[o] * b->r;
    if (!b->relu) continue;
    for (int o = 0; o < b->out; ++o) row[o] = row[o] < 0 ? 0.0f : row[o];
  }
}

void forward_node(const DenseForward& f, int node, int samples, VectorLevel level) {
  const DenseLayer& layer = f.layer;
  const float* x = f.x.row(node);
  const std::int64_t first = static_cast<std::int64_t>(node) * samples;
  const float r = debias_factor(f.u[node]);
  multiply({.rows = samples,
            .cols = layer.out,
            .depth = layer.in,
            .a = f.input.row(first),
            .b = x + layer.weight,
            .b_transposed = true,
            .scale = r,
            .c = f.output.row(first)},
           level);
  const BiasRelu bias_relu{.bias = x + layer.bias,
                           .r = r,
                           .output = f.output.row(first),
                           .samples = samples,
                           .out = layer.out,
                           .relu = f.relu};
  run_vectorized(level, [&] { add_bias(&bias_relu); });
}

/// sum[c] = sum of rows[i, c] over the rows in order, for `kWidth` columns that stay in registers.
template <int kWidth>
void sum_columns(const float* rows, int count, int cols, float* sum) {
  float total[kWidth] = {};
  for (int i = 0; i < count; ++i)
    for (int c = 0; c < kWidth; ++c) total[c] += rows[static_cast<std::int64_t>(i) * cols + c];
  std::copy_n(total, kWidth, sum);
}

void sum_rows(const float* rows, int count, int cols, float* sum) {
  int c = 0;
  for (; c + 16 <= cols; c += 16) sum_columns<16>(rows + c, count, cols, sum + c);
  for (; c + 4 <= cols; c += 4) sum_columns<4>(rows + c, count, cols, sum + c);
  for (; c < cols; ++c) sum_columns<1>(rows + c, count, cols, sum + c);
}

void mask_relu(const float* input, std::int64_t count, float* gradient) {
  for (std::int64_t i = 0; i < count; ++i) gradient[i] = input[i] <= 0 ? 0.0f : gradient[i];
}

void backward_node(const DenseBackward& b, int node, int samples, VectorLevel level) {
  const DenseLayer& layer = b.layer;
  const std::int64_t first = static_cast<std::int64_t>(node) * samples;
  const float* output_gradient = b.output_gradient.row(first);
  float* gradient = b.gradient.row(node);
  multiply({.rows = layer.out,
            .cols = layer.in,
            .depth = samples,
            .a = output_gradient,
            .a_transposed = true,
            .b = b.input.row(first),
            .c = gradient + layer.weight},
           level);
  run_vectorized(level, [&] { sum_rows(output_gradient, samples, layer.out, gradient + layer.bias); });
  if (b.input_gradient.data == nullptr) return;
  float* input_gradient = b.input_gradient.row(first);
  multiply({.rows = samples,
            .cols = layer.in,
            .depth = layer.out,
            .a = output_gradient,
            .b = b.x.row(node) + layer.weight,
            .scale = debias_factor(b.u[node]),
            .c = input_gradient},
           level);
  if (b.relu)
    run_vectorized(
        level, [&] { mask_relu(b.input.row(first), static_cast<std::int64_t>(samples) * layer.in, input_gradient); });
}

/// What both directions share: parameters inside the row, and `samples` rows per node on both sides of the layer.
void check_layer_shapes(const DenseLayer& layer, MatrixView<const float> x, std::span<const double> u,
                        MatrixView<const float> input, MatrixView<const float> output) {
  const std::int64_t weights = static_cast<std::int64_t>(layer.in) * layer.out;
  CHECK(layer.in >= 1 && layer.out >= 1, "layer of ", layer.in, " to ", layer.out);
  CHECK(layer.weight >= 0 && layer.weight + weights <= x.cols, "weights at ", layer.weight, ", x ", x);
  CHECK(layer.bias >= 0 && layer.bias + layer.out <= x.cols, "bias at ", layer.bias, ", x ", x);
  CHECK(x.rows >= 1 && u.size() == static_cast<std::size_t>(x.rows), "x ", x, ", u ", u.size());
  CHECK(input.cols == layer.in && input.rows >= 1 && input.rows % x.rows == 0, "input ", input, ", x ", x);
  CHECK(output.cols == layer.out && output.rows == input.rows, "output ", output, ", input ", input);
}

}  // namespace

void use_single_threaded_products(const Cpu&) { openblas_set_num_threads(1); }

void check_dense_forward_shapes(const DenseForward& f) { check_layer_shapes(f.layer, f.x, f.u, f.input, f.output); }

void dense_forward(const Cpu& cpu, const DenseForward& forward) {
  check_dense_forward_shapes(forward);
  cpu.pool().run(forward.x.rows, [&](std::int64_t node, int) {
    forward_node(forward, static_cast<int>(node), forward.input.rows / forward.x.rows, cpu.vector_level());
  });
}

void check_dense_backward_shapes(const DenseBackward& b) {
  check_layer_shapes(b.layer, b.x, b.u, b.input, b.output_gradient);
  CHECK(b.gradient.rows == b.x.rows && b.gradient.cols == b.x.cols, "gradient ", b.gradient, ", x ", b.x);
  CHECK(b.input_gradient.data == nullptr ||
            (b.input_gradient.rows == b.input.rows && b.input_gradient.cols == b.input.cols),
        "input gradient ", b.input_gradient, ", input ", b.input);
}

void dense_backward(const Cpu& cpu, const DenseBackward& backward) {
  check_dense_backward_shapes(backward);
  cpu.pool().run(backward.x.rows, [&](std::int64_t node, int) {
    backward_node(backward, static_cast<int>(node), backward.input.rows / backward.x.rows, cpu.vector_level());
  });
}

}  // namespace sparsepush
