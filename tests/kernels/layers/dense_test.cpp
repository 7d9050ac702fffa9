#include "kernels/layers/dense.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Nodes with different u, their parameters among others in a longer row, and inputs of `samples` samples each.
struct Case {
  Case(int in, int out, int samples, int nodes = 2)
      : samples(samples), nodes(nodes), layer{.in = in, .out = out, .weight = 4, .bias = 8 + in * out} {
    row = static_cast<int>(layer.bias) + out + 3;
    x = values(nodes * row, 1);
    input = values(nodes * samples * in, 2);
    for (float& v : input) v = v < 0 ? 0 : v;  // as after a ReLU
    output_gradient = values(nodes * samples * out, 3);
    for (int node = 0; node < nodes; ++node) u.push_back(1.0 - 0.63 * node / nodes);
  }
  static std::vector<float> values(int count, int salt) {
    std::vector<float> v(count);
    for (int i = 0; i < count; ++i) v[i] = std::sin(static_cast<float>(salt + 7 * i));
    return v;
  }
  double z(int node, std::int64_t element) const {
    return static_cast<double>(x[node * row + element]) * static_cast<float>(1.0 / u[node]);
  }

  template <class Backend>
  std::vector<float> forward(const Backend& backend, bool relu) const {
    use_single_threaded_products(backend);
    const Buffer<Backend, float> parameters(backend, nodes, row, x);
    const Buffer<Backend, double> weights(backend, u);
    const Buffer<Backend, float> from(backend, nodes * samples, layer.in, input);
    const std::vector<float> nothing(nodes * samples * layer.out, kNan);
    const Buffer<Backend, float> output(backend, nodes * samples, layer.out, nothing);
    dense_forward(backend, {.layer = layer,
                            .x = parameters.view(),
                            .u = weights.span(),
                            .input = from.view(),
                            .output = output.view(),
                            .relu = relu});
    return output.to_host();
  }
  struct Backward {
    std::vector<float> gradient, input_gradient;
  };
  template <class Backend>
  Backward backward(const Backend& backend, bool relu, bool wants_input_gradient = true) const {
    use_single_threaded_products(backend);
    const Buffer<Backend, float> parameters(backend, nodes, row, x);
    const Buffer<Backend, double> weights(backend, u);
    const Buffer<Backend, float> from(backend, nodes * samples, layer.in, input);
    const Buffer<Backend, float> outputs(backend, nodes * samples, layer.out, output_gradient);
    const Buffer<Backend, float> gradient(backend, nodes, row, std::vector<float>(nodes * row, 99));
    const Buffer<Backend, float> inputs(backend, nodes * samples, layer.in, std::vector<float>(input.size(), kNan));
    dense_backward(backend, {.layer = layer,
                             .x = parameters.view(),
                             .u = weights.span(),
                             .input = from.view(),
                             .output_gradient = outputs.view(),
                             .gradient = gradient.view(),
                             .input_gradient = wants_input_gradient ? inputs.view() : MatrixView<float>{},
                             .relu = relu});
    return {gradient.to_host(), inputs.to_host()};
  }

  int samples, nodes, row;
  DenseLayer layer;
  std::vector<float> x, input, output_gradient;
  std::vector<double> u;
};

struct Shape {
  int in, out, samples;
  int nodes = 2;
};
/// Around warps, blocks, and a GPU's tiles of 16, 32 and 64 and their depth; more nodes than a grid has blocks.
const Shape kShapes[] = {{1, 1, 1},     {64, 16, 16}, {16, 10, 16},  {17, 33, 5},     {3, 20, 64},  {257, 7, 31},
                         {15, 31, 32},  {32, 32, 33}, {33, 33, 33},  {65, 63, 64},    {31, 65, 66}, {255, 17, 1},
                         {256, 33, 34}, {9, 5, 257},  {8, 3, 5, 60}, {70, 35, 36, 13}};

/// A sum and what its terms add up to without their signs, in double.
struct Sum {
  double value = 0, magnitude = 0;
  void add(double term) { value += term, magnitude += std::abs(term); }
};
void expect_within_bound(float computed, const Sum& sum, int terms, const char* what) {
  EXPECT_NEAR(computed, sum.value, (terms + 3) * 0x1p-24 * sum.magnitude) << what;
}

void expect_the_product(const Case& c, const std::vector<float>& output) {
  const int in = c.layer.in, out = c.layer.out;
  for (int row = 0; row < c.nodes * c.samples; ++row)
    for (int o = 0; o < out; ++o) {
      Sum sum;
      for (int i = 0; i < in; ++i) sum.add(c.input[row * in + i] * c.z(row / c.samples, c.layer.weight + o * in + i));
      sum.add(c.z(row / c.samples, c.layer.bias + o));
      expect_within_bound(output[row * out + o], sum, in, "output");
    }
}

void expect_the_gradients(const Case& c, const Case::Backward& b) {
  const int in = c.layer.in, out = c.layer.out, samples = c.samples;
  const auto dy = [&](int row, int o) { return static_cast<double>(c.output_gradient[row * out + o]); };
  for (int node = 0; node < c.nodes; ++node)
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
  for (int row = 0; row < c.nodes * samples; ++row)
    for (int i = 0; i < in; ++i) {
      Sum sum;
      for (int o = 0; o < out; ++o) sum.add(dy(row, o) * c.z(row / samples, c.layer.weight + o * in + i));
      expect_within_bound(b.input_gradient[row * in + i], sum, out, "input");
    }
}

template <class Backend>
class DenseOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(DenseOn, Backends);

TYPED_TEST(DenseOn, ForwardIsTheProductAtZWithinItsBound) {
  for (const auto& [in, out, samples, nodes] : kShapes) {
    SCOPED_TRACE(testing::Message() << in << " to " << out << ", " << samples << " samples");
    const Case c(in, out, samples, nodes);
    const std::vector<float> first = c.forward(tested_backend<TypeParam>(), false);
    expect_the_product(c, first);
    for_each_way_to_run<TypeParam>(
        [&](const TypeParam& backend) { EXPECT_TRUE(same_values(c.forward(backend, false), first)); });
  }
}

TYPED_TEST(DenseOn, ReluCutsNegativeOutputsOff) {
  const Case c(17, 33, 5);
  std::vector<float> expected = c.forward(tested_backend<TypeParam>(), false);
  for (float& v : expected) v = v < 0 ? 0 : v;
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) { EXPECT_EQ(c.forward(backend, true), expected); });
}

TYPED_TEST(DenseOn, ReluKeepsNotANumber) {
  Case c(3, 2, 4);
  c.input[1] = kNan;
  EXPECT_TRUE(std::isnan(c.forward(tested_backend<TypeParam>(), true)[0]));
}

TYPED_TEST(DenseOn, BackwardIsTheGradientWithinItsBound) {
  for (const auto& [in, out, samples, nodes] : kShapes) {
    SCOPED_TRACE(testing::Message() << in << " to " << out << ", " << samples << " samples");
    const Case c(in, out, samples, nodes);
    const Case::Backward first = c.backward(tested_backend<TypeParam>(), false);
    expect_the_gradients(c, first);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const Case::Backward b = c.backward(backend, false);
      EXPECT_TRUE(same_values(b.gradient, first.gradient));
      EXPECT_TRUE(same_values(b.input_gradient, first.input_gradient));
    });
  }
}

TYPED_TEST(DenseOn, ReluStopsTheGradientWhereTheInputIsZero) {
  const Case c(17, 33, 5);
  std::vector<float> expected = c.backward(tested_backend<TypeParam>(), false).input_gradient;
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (c.input[i] == 0) expected[i] = 0;
  for_each_way_to_run<TypeParam>(
      [&](const TypeParam& backend) { EXPECT_EQ(c.backward(backend, true).input_gradient, expected); });
}

TYPED_TEST(DenseOn, BackwardLeavesTheRestOfTheRowAlone) {
  const Case c(5, 3, 4);
  const std::vector<float> gradient = c.backward(tested_backend<TypeParam>(), false).gradient;
  for (int j : {0, 3, 4 + 15, 7 + 15, c.row - 1}) EXPECT_EQ(gradient[j], 99) << j;
}

TYPED_TEST(DenseOn, BackwardOfTheFirstLayerNeedsNoInputGradient) {
  const Case c(5, 3, 4);
  const Case::Backward b = c.backward(tested_backend<TypeParam>(), false, false);
  EXPECT_EQ(b.gradient, c.backward(tested_backend<TypeParam>(), false).gradient);
  for (const float v : b.input_gradient) EXPECT_TRUE(std::isnan(v)) << "not touched";
}

/// `computed` must be finite or not as `reached` says, and where it says no have the value of `clean`.
void expect_only(const std::vector<float>& computed, const std::vector<float>& clean, const auto& reached) {
  for (std::size_t i = 0; i < clean.size(); ++i) {
    if (reached(static_cast<int>(i)))
      EXPECT_FALSE(std::isfinite(computed[i])) << i;
    else
      EXPECT_TRUE(same_values(std::vector<float>{computed[i]}, {clean[i]})) << i;
  }
}

/// At the ends of tiles and beyond, where a GPU fills up with zeros.
TYPED_TEST(DenseOn, HardValuesReachOnlyWhatDependsOnThem) {
  const int in = 35, out = 34, samples = 33, last = 2 * samples - 1;
  const Case clean(in, out, samples);
  const TypeParam backend = tested_backend<TypeParam>();
  const std::vector<float> output = clean.forward(backend, false);
  const Case::Backward gradients = clean.backward(backend, false);
  for (const float bad : {kNan, std::numeric_limits<float>::infinity()}) {
    Case c = clean;
    c.input[last * in + in - 1] = bad;
    expect_only(c.forward(backend, false), output, [&](int i) { return i / out == last; });
    c = clean;
    c.x[c.row + c.layer.weight + out * in - 1] = bad;
    c.x[c.row + c.layer.bias] = bad;
    expect_only(c.forward(backend, false), output,
                [&](int i) { return i / out >= samples && (i % out == out - 1 || i % out == 0); });
    expect_only(c.backward(backend, false).input_gradient, gradients.input_gradient,
                [&](int i) { return i / in >= samples && i % in == in - 1; });
    c = clean;
    c.output_gradient[last * out + out - 1] = bad;
    const Case::Backward b = c.backward(backend, false);
    expect_only(b.input_gradient, gradients.input_gradient, [&](int i) { return i / in == last; });
    expect_only(b.gradient, gradients.gradient, [&](int i) {
      const std::int64_t j = i - c.row - c.layer.weight, o = i - c.row - c.layer.bias;
      return (j >= (out - 1) * in && j < out * in) || o == out - 1;
    });
  }
}

TYPED_TEST(DenseOn, DenormalsAreNotFlushed) {
  Case c(1, 1, 1, 1);
  c.x[c.layer.weight] = 1;
  c.x[c.layer.bias] = 0;
  c.input = {1e-40f};
  c.output_gradient = {-1e-45f};
  EXPECT_EQ(c.forward(tested_backend<TypeParam>(), false), std::vector<float>{1e-40f});
  const Case::Backward b = c.backward(tested_backend<TypeParam>(), true);
  EXPECT_EQ(b.input_gradient, std::vector<float>{-1e-45f});
  EXPECT_EQ(b.gradient[c.layer.bias], -1e-45f);
}

TEST(Dense, RefusesShapesThatDoNotFit) {
  const Case good(5, 3, 4);
  Case c = good;
  c.layer.weight = c.row - 14;
  EXPECT_THROW(c.forward(tested_cpu(1), false), std::invalid_argument);
  c = good;
  c.layer.bias = -1;
  EXPECT_THROW(c.backward(tested_cpu(1), false), std::invalid_argument);
  c = good;
  c.u.pop_back();
  EXPECT_THROW(c.forward(tested_cpu(1), false), std::invalid_argument);
  std::vector<float> gradient(2 * good.row), output(21);
  const MatrixView<const float> x{good.x.data(), 2, good.row}, input{good.input.data(), 8, 5};
  EXPECT_THROW(check_dense_forward_shapes(
                   {.layer = good.layer, .x = x, .u = good.u, .input = input, .output = {output.data(), 7, 3}}),
               std::invalid_argument);
  DenseBackward backward{.layer = good.layer,
                         .x = x,
                         .u = good.u,
                         .input = input,
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
