#include "kernels/dense.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace sparsepush {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Two nodes with different u, their parameters among others in a longer row, and inputs of `samples` samples each.
struct Case {
  Case(int in, int out, int samples)
      : samples(samples), layer{.in = in, .out = out, .weight = 4, .bias = 8 + in * out} {
    row = static_cast<int>(layer.bias) + out + 3;
    x = values(2 * row, 1);
    input = values(2 * samples * in, 2);
    for (float& v : input) v = v < 0 ? 0 : v;  // as after a ReLU
    output_gradient = values(2 * samples * out, 3);
  }
  static std::vector<float> values(int count, int salt) {
    std::vector<float> v(count);
    for (int i = 0; i < count; ++i) v[i] = std::sin(static_cast<float>(salt + 7 * i));
    return v;
  }
  MatrixView<const float> x_view() const { return {x.data(), 2, row}; }
  MatrixView<const float> input_view() const { return {input.data(), 2 * samples, layer.in}; }
  double z(int node, std::int64_t element) const {
    return static_cast<double>(x[node * row + element]) * static_cast<float>(1.0 / u[node]);
  }

  std::vector<float> forward(int threads, bool relu) const {
    const Cpu cpu(threads);
    use_single_threaded_products(cpu);
    std::vector<float> output(2 * samples * layer.out, kNan);
    dense_forward(cpu, {.layer = layer,
                        .x = x_view(),
                        .u = u,
                        .input = input_view(),
                        .output = {output.data(), 2 * samples, layer.out},
                        .relu = relu});
    return output;
  }
  struct Backward {
    std::vector<float> gradient, input_gradient;
  };
  Backward backward(int threads, bool relu) const {
    const Cpu cpu(threads);
    use_single_threaded_products(cpu);
    Backward out{std::vector<float>(2 * row, 99), std::vector<float>(2 * samples * layer.in, kNan)};
    dense_backward(cpu, {.layer = layer,
                         .x = x_view(),
                         .u = u,
                         .input = input_view(),
                         .output_gradient = {output_gradient.data(), 2 * samples, layer.out},
                         .gradient = {out.gradient.data(), 2, row},
                         .input_gradient = {out.input_gradient.data(), 2 * samples, layer.in},
                         .relu = relu});
    return out;
  }

  int samples, row;
  DenseLayer layer;
  std::vector<float> x, input, output_gradient;
  std::vector<double> u = {1.0, 0.37};
};

struct Shape {
  int in, out, samples;
};
const Shape kShapes[] = {{1, 1, 1}, {64, 16, 16}, {16, 10, 16}, {17, 33, 5}, {3, 20, 64}, {257, 7, 31}};

/// A sum and what its terms add up to without their signs, in double.
struct Sum {
  double value = 0, magnitude = 0;
  void add(double term) { value += term, magnitude += std::abs(term); }
};
void expect_within_bound(float computed, const Sum& sum, int terms, const char* what) {
  EXPECT_NEAR(computed, sum.value, (terms + 3) * 0x1p-24 * sum.magnitude) << what;
}

TEST(DenseForward, IsTheProductAtZWithinItsBound) {
  for (const auto& [in, out, samples] : kShapes) {
    const Case c(in, out, samples);
    const std::vector<float> output = c.forward(2, false);
    for (int row = 0; row < 2 * samples; ++row)
      for (int o = 0; o < out; ++o) {
        Sum sum;
        for (int i = 0; i < in; ++i) sum.add(c.input[row * in + i] * c.z(row / samples, c.layer.weight + o * in + i));
        sum.add(c.z(row / samples, c.layer.bias + o));
        expect_within_bound(output[row * out + o], sum, in, "output");
      }
  }
}

TEST(DenseForward, ReluCutsNegativeOutputsOff) {
  const Case c(17, 33, 5);
  std::vector<float> expected = c.forward(1, false);
  for (float& v : expected) v = v < 0 ? 0 : v;
  EXPECT_EQ(c.forward(1, true), expected);
}

TEST(DenseForward, ReluKeepsNotANumber) {
  Case c(3, 2, 4);
  c.input[1] = kNan;
  EXPECT_TRUE(std::isnan(c.forward(1, true)[0]));
}

TEST(DenseBackward, IsTheGradientWithinItsBound) {
  for (const auto& [in, out, samples] : kShapes) {
    const Case c(in, out, samples);
    const Case::Backward b = c.backward(2, false);
    const auto dy = [&, out = out](int row, int o) { return static_cast<double>(c.output_gradient[row * out + o]); };
    for (int node = 0; node < 2; ++node)
      for (int o = 0; o < out; ++o) {
        Sum bias;
        for (int s = 0; s < samples; ++s) bias.add(dy(node * samples + s, o));
        expect_within_bound(b.gradient[node * c.row + c.layer.bias + o], bias, samples, "bias");
        for (int i = 0; i < in; ++i) {
          Sum weight;
          for (int s = 0; s < samples; ++s)
            weight.add(dy(node * samples + s, o) * c.input[(node * samples + s) * in + i]);
          expect_within_bound(b.gradient[node * c.row + c.layer.weight + o * in + i], weight, samples, "weight");
        }
      }
    for (int row = 0; row < 2 * samples; ++row)
      for (int i = 0; i < in; ++i) {
        Sum sum;
        for (int o = 0; o < out; ++o) sum.add(dy(row, o) * c.z(row / samples, c.layer.weight + o * in + i));
        expect_within_bound(b.input_gradient[row * in + i], sum, out, "input");
      }
  }
}

TEST(DenseBackward, ReluStopsTheGradientWhereTheInputIsZero) {
  const Case c(17, 33, 5);
  std::vector<float> expected = c.backward(1, false).input_gradient;
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (c.input[i] == 0) expected[i] = 0;
  EXPECT_EQ(c.backward(1, true).input_gradient, expected);
}

TEST(DenseBackward, LeavesTheRestOfTheRowAlone) {
  const Case c(5, 3, 4);
  const std::vector<float> gradient = c.backward(1, false).gradient;
  for (int j : {0, 3, 4 + 15, 7 + 15, c.row - 1}) EXPECT_EQ(gradient[j], 99) << j;
}

TEST(DenseBackward, OfTheFirstLayerNeedsNoInputGradient) {
  const Case c(5, 3, 4);
  const Cpu cpu(1);
  std::vector<float> gradient(2 * c.row, 99);
  dense_backward(cpu, {.layer = c.layer,
                       .x = c.x_view(),
                       .u = c.u,
                       .input = c.input_view(),
                       .output_gradient = {c.output_gradient.data(), 8, 3},
                       .gradient = {gradient.data(), 2, c.row},
                       .input_gradient = {}});
  EXPECT_EQ(gradient, c.backward(1, false).gradient);
}

TEST(Dense, DoesNotDependOnTheNumberOfThreads) {
  const Case c(64, 16, 16);
  EXPECT_EQ(c.forward(1, true), c.forward(3, true));
  EXPECT_EQ(c.backward(1, true).gradient, c.backward(3, true).gradient);
  EXPECT_EQ(c.backward(1, true).input_gradient, c.backward(3, true).input_gradient);
}

TEST(Dense, RefusesShapesThatDoNotFit) {
  const Case good(5, 3, 4);
  Case c = good;
  c.layer.weight = c.row - 14;
  EXPECT_THROW(c.forward(1, false), std::invalid_argument);
  c = good;
  c.layer.bias = -1;
  EXPECT_THROW(c.backward(1, false), std::invalid_argument);
  c = good;
  c.u.pop_back();
  EXPECT_THROW(c.forward(1, false), std::invalid_argument);
  std::vector<float> gradient(2 * good.row), output(21);
  EXPECT_THROW(check_dense_forward_shapes({.layer = good.layer,
                                           .x = good.x_view(),
                                           .u = good.u,
                                           .input = good.input_view(),
                                           .output = {output.data(), 7, 3}}),
               std::invalid_argument);
  DenseBackward backward{.layer = good.layer,
                         .x = good.x_view(),
                         .u = good.u,
                         .input = good.input_view(),
                         .output_gradient = {good.output_gradient.data(), 8, 3},
                         .gradient = {gradient.data(), 1, good.row},
                         .input_gradient = {}};
  EXPECT_THROW(check_dense_backward_shapes(backward), std::invalid_argument);
  backward.gradient.rows = 2;
  backward.input_gradient = {gradient.data(), 8, 4};
  EXPECT_THROW(check_dense_backward_shapes(backward), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
