#include "kernels/layers/conv2d/conv2d.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/backends.h"
#include "tests/kernels/layers/conv2d/conv2d_case.h"
#include "tests/kernels/layers/conv2d/conv2d_oracle.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

template <class Backend>
class Conv2dOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(Conv2dOn, Backends);

TYPED_TEST(Conv2dOn, ForwardIsTheConvolutionAtZWithinItsBound) {
  for (const Conv2dShape& shape : shapes()) {
    SCOPED_TRACE(testing::Message() << shape);
    const Conv2dCase c(shape);
    expect_the_convolution(c, forward(tested_backend<TypeParam>(), c));
  }
}

TYPED_TEST(Conv2dOn, BackwardIsTheGradientWithinItsBoundAndLeavesTheRestOfTheRowAlone) {
  for (const Conv2dShape& shape : shapes()) {
    SCOPED_TRACE(testing::Message() << shape);
    const Conv2dCase c(shape);
    expect_the_gradients(c, backward(tested_backend<TypeParam>(), c));
  }
}

/// Of few and of many channels, with a stride, and with a gradient whose sums are split on a GPU.
TYPED_TEST(Conv2dOn, IsTheConvolutionInEveryWayToRun) {
  for (const Conv2dShape& shape : {Conv2dShape{5, 4, 3, 6, 5, 1, 2, 3, 2}, Conv2dShape{3, 3, 17, 33, 3, 2, 1, 3, 2},
                                   Conv2dShape{64, 65, 1, 2, 1, 1, 0, 1, 2}}) {
    SCOPED_TRACE(testing::Message() << shape);
    const Conv2dCase c(shape);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      expect_the_convolution(c, forward(backend, c));
      expect_the_gradients(c, backward(backend, c));
    });
  }
}

TYPED_TEST(Conv2dOn, ANodesBitsDoNotDependOnTheOtherNodesOfACall) {
  const TypeParam backend = tested_backend<TypeParam>();
  for (const Conv2dShape& shape : {Conv2dShape{3, 4, 17, 16, 3, 2, 1, 10, 3}, Conv2dShape{64, 65, 1, 2, 1, 1, 0, 1, 3},
                                   Conv2dShape{2, 2, 4, 3, 1, 1, 0, 1, 70}}) {
    SCOPED_TRACE(testing::Message() << shape);
    const Conv2dCase c(shape);
    std::vector<float> output;
    Conv2dGradients gradients;
    const auto append = [](std::vector<float>& all, const std::vector<float>& more) {
      all.insert(all.end(), more.begin(), more.end());
    };
    for (int node = 0; node < shape.nodes; ++node) {
      const Conv2dCase one = c.of_node(node);
      append(output, forward(backend, one));
      const Conv2dGradients of_one = backward(backend, one);
      append(gradients.row, of_one.row);
      append(gradients.input, of_one.input);
    }
    EXPECT_TRUE(same_values(forward(backend, c), output));
    const Conv2dGradients of_all = backward(backend, c);
    EXPECT_TRUE(same_values(of_all.row, gradients.row));
    EXPECT_TRUE(same_values(of_all.input, gradients.input));
  }
}

/// All arrays one float behind where a Buffer puts them.
TYPED_TEST(Conv2dOn, ArraysNeedNoAlignment) {
  const TypeParam backend = tested_backend<TypeParam>();
  const Conv2dCase c({3, 3, 4, 8, 3, 1, 1, 2, 2});
  using Shifted = Buffer<TypeParam, float>;
  const auto shifted = [&](std::vector<float> values) {
    values.insert(values.begin(), 0.0f);
    return Shifted(backend, values);
  };
  const auto view = [](const Shifted& buffer, int rows) {
    return MatrixView<float>{buffer.view().data + 1, rows, (buffer.view().cols - 1) / rows};
  };
  const auto values_of = [](const Shifted& buffer) {
    const std::vector<float> values = buffer.to_host();
    return std::vector<float>(values.begin() + 1, values.end());
  };
  const Shifted x = shifted(c.x), input = shifted(c.input), output_gradient = shifted(c.output_gradient);
  const Shifted output = shifted(std::vector<float>(c.output_gradient.size(), kNan)),
                gradient = shifted(std::vector<float>(c.x.size(), kUntouched)),
                input_gradient = shifted(std::vector<float>(c.input.size(), kNan));
  const Buffer<TypeParam, double> u(backend, c.u);
  Conv2d<TypeParam> conv(backend, c.layer, 2, 2);
  conv.forward(backend, {.x = view(x, 2), .u = u.span(), .input = view(input, 4), .output = view(output, 4)});
  expect_the_convolution(c, values_of(output));
  conv.backward(backend, {.x = view(x, 2),
                          .u = u.span(),
                          .input = view(input, 4),
                          .output_gradient = view(output_gradient, 4),
                          .gradient = view(gradient, 2),
                          .input_gradient = view(input_gradient, 4)});
  expect_the_gradients(c, {values_of(gradient), values_of(input_gradient)});
}

/// The sum that backward differentiates, in double, with node `node`'s parameters `z` and the inputs `input`.
double weighted_outputs(const Conv2dCase& c, const std::vector<double>& z, const std::vector<double>& input) {
  double sum = 0;
  for (int sample = 0; sample < c.rows(); ++sample)
    for_each_tap(c, sample,
                 [&](int out, int in, std::int64_t weight) { sum += c.output_gradient[out] * input[in] * z[weight]; });
  for (std::size_t i = 0; i < c.output_gradient.size(); ++i)
    sum += c.output_gradient[i] * z[c.layer.bias + i % c.shape.out];
  return sum;
}

/// As each argument alone enters linearly, a difference over 2 is exact.
TYPED_TEST(Conv2dOn, GradientsAreFiniteDifferences) {
  Conv2dCase c({4, 5, 3, 2, 3, 2, 1, 2});
  c.u = {3.0};
  const Conv2dGradients gradients = backward(tested_backend<TypeParam>(), c);
  std::vector<double> z(c.row), input(c.input.begin(), c.input.end());
  for (int j = 0; j < c.row; ++j) z[j] = c.z(0, j);
  const auto slope = [&](double& argument) {
    const double before = argument;
    argument = before + 1;
    const double above = weighted_outputs(c, z, input);
    argument = before - 1;
    const double below = weighted_outputs(c, z, input);
    argument = before;
    return (above - below) / 2;
  };
  for (int j = 0; j < c.weights(); ++j)
    EXPECT_NEAR(gradients.row[c.layer.weight + j], slope(z[c.layer.weight + j]), 1e-5) << "weight " << j;
  for (int o = 0; o < c.shape.out; ++o)
    EXPECT_NEAR(gradients.row[c.layer.bias + o], slope(z[c.layer.bias + o]), 1e-5) << "bias " << o;
  for (std::size_t i = 0; i < input.size(); ++i)
    EXPECT_NEAR(gradients.input[i], slope(input[i]), 1e-5) << "input " << i;
}

TYPED_TEST(Conv2dOn, ParametersAreRoundedAtZ) {
  Conv2dCase c({1, 1, 1, 17, 1, 1, 0, 1, 3, false});
  c.input.assign(3, 1);
  const std::vector<float> output = forward(tested_backend<TypeParam>(), c);
  for (int i = 0; i < 3 * 17; ++i) EXPECT_EQ(output[i], c.z(i / 17, c.layer.weight + i % 17)) << i;
  c = Conv2dCase({1, 1, 1, 17, 1, 1, 0, 1, 3});
  c.input.assign(3, 0);
  const std::vector<float> biases = forward(tested_backend<TypeParam>(), c);
  for (int i = 0; i < 3 * 17; ++i) EXPECT_EQ(biases[i], c.z(i / 17, c.layer.bias + i % 17)) << i;
}

TYPED_TEST(Conv2dOn, BackwardOfTheFirstLayerNeedsNoInputGradient) {
  const Conv2dCase c({5, 5, 3, 17, 3, 1, 1, 2, 3});
  const Conv2dGradients without = backward(tested_backend<TypeParam>(), c, false);
  EXPECT_EQ(without.row, backward(tested_backend<TypeParam>(), c).row);
  for (const float v : without.input) EXPECT_TRUE(std::isnan(v)) << "not touched";
}

TYPED_TEST(Conv2dOn, CallsOfOneObjectDoNotDependOnEachOther) {
  const TypeParam backend = tested_backend<TypeParam>();
  for (Conv2dShape shape :
       {Conv2dShape{6, 6, 17, 33, 3, 1, 1}, Conv2dShape{6, 6, 3, 6, 5, 1, 2}, Conv2dShape{6, 5, 7, 16, 5, 1, 2}}) {
    SCOPED_TRACE(testing::Message() << shape);
    Conv2d<TypeParam> conv(backend, Conv2dCase(shape).layer, 3, 7);
    for (const int samples : {2, 7, 1, 2})
      for (const int nodes : {1, 3}) {
        shape.samples = samples;
        shape.nodes = nodes;
        const Conv2dCase c(shape);
        const Conv2dGradients reused = backward(backend, conv, c), fresh = backward(backend, c);
        EXPECT_TRUE(same_values(reused.row, fresh.row));
        EXPECT_TRUE(same_values(reused.input, fresh.input));
        EXPECT_TRUE(same_values(forward(backend, conv, c), forward(backend, c)));
      }
  }
}

TYPED_TEST(Conv2dOn, MoreThanItWasMadeForIsComputedOrRefused) {
  const TypeParam backend = tested_backend<TypeParam>();
  const Conv2dCase c({64, 64, 1, 1, 1, 1, 0, 1, 2});
  Conv2d<TypeParam> conv(backend, c.layer, 1, 1);
  expect_the_convolution(c, forward(backend, conv, c));
  try {
    expect_the_gradients(c, backward(backend, conv, c));
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("nodes 2, samples of each 1"), std::string::npos) << error.what();
  }
}

/// LeNet-5's layers: our own loops copy an image, its gradient, and weights.
TEST(Conv2d, BytesOfOurOwnLoopsHoldAnImageAndTheWeights) {
  const Conv2dLayer first{.in = {32, 32, 3}, .out = 6, .kernel = 5, .padding = 0};
  const Conv2dLayer second{.in = {14, 14, 6}, .out = 16, .kernel = 5, .padding = 0};
  for (const Conv2dLayer& layer : {first, second}) {
    const std::int64_t weights = std::int64_t{25} * layer.in.channels * layer.out;
    EXPECT_GT(Conv2d<Cpu>::bytes(layer, 1, 1, VectorLevel::kAvx512), 4 * (layer.in.size() + weights));
  }
  EXPECT_EQ(Conv2d<Cpu>::bytes(second, 1, 1, VectorLevel::kAvx512),
            Conv2d<Cpu>::bytes(second, 1, 32, VectorLevel::kAvx512))
      << "one sample at a time";
}

/// By us; below AVX2 oneDNN works in four copies more.
TEST(Conv2d, BytesHoldTheWeightsOnce) {
  const std::int64_t of_onednn = tested_vector_level() < VectorLevel::kAvx2 ? 4 : 0;
  const Conv2dLayer layer{.in = {4, 4, 256}, .out = 512};
  const std::int64_t weights = std::int64_t{4} * 256 * 512 * 9;
  for (const int samples : {1, 32}) {
    EXPECT_GE(Conv2d<Cpu>::bytes(layer, 1, samples), weights);
    EXPECT_LT(Conv2d<Cpu>::bytes(layer, 1, samples), (2 + of_onednn) * weights);
  }
}

TEST(Conv2d, RefusesShapesThatDoNotFit) {
  const Conv2dCase good({5, 5, 3, 2, 3, 1, 1, 4, 2});
  const auto refuses = [&](const auto& change) {
    Conv2dCase c = good;
    change(c);
    EXPECT_THROW(forward(tested_cpu(1), c), std::invalid_argument);
    EXPECT_THROW(backward(tested_cpu(1), c), std::invalid_argument);
  };
  refuses([](Conv2dCase& c) { c.layer.weight = c.row - c.weights() + 1; });
  refuses([](Conv2dCase& c) { c.layer.weight = -1; });
  refuses([](Conv2dCase& c) { c.layer.bias = c.row - 1; });
  refuses([](Conv2dCase& c) { c.layer.bias = -2; });
  refuses([](Conv2dCase& c) { c.layer.stride = -1; });
  refuses([](Conv2dCase& c) { c.layer.padding = -1; });
  refuses([](Conv2dCase& c) { c.u.pop_back(); });

  std::vector<float> many(4096);
  const int in = good.layer.in.size(), out = good.layer.out_shape().size();
  const MatrixView<const float> x{many.data(), 2, good.row};
  const auto check_forward = [&](const Conv2dLayer& layer, int in_rows, int in_cols, int out_rows, int out_cols) {
    check_conv2d_forward_shapes(
        layer,
        {.x = x, .u = good.u, .input = {many.data(), in_rows, in_cols}, .output = {many.data(), out_rows, out_cols}});
  };
  EXPECT_NO_THROW(check_forward(good.layer, 8, in, 8, out));
  EXPECT_THROW(check_forward(good.layer, 7, in, 7, out), std::invalid_argument);
  EXPECT_THROW(check_forward(good.layer, 0, in, 0, out), std::invalid_argument);
  EXPECT_THROW(check_forward(good.layer, 8, in - 1, 8, out), std::invalid_argument);
  EXPECT_THROW(check_forward(good.layer, 8, in, 6, out), std::invalid_argument);
  EXPECT_THROW(check_forward(good.layer, 8, in, 8, out + 1), std::invalid_argument);
  Conv2dLayer large = good.layer;
  large.kernel = 8;
  EXPECT_THROW(check_forward(large, 8, in, 8, 0), std::invalid_argument);
  EXPECT_EQ((Conv2dLayer{.in = {2, 2, 1}, .out = 1, .kernel = 3, .stride = 2, .padding = 0}.out_shape().size()), 0);

  Conv2dBackward backward{.x = x,
                          .u = good.u,
                          .input = {many.data(), 8, in},
                          .output_gradient = {many.data(), 8, out},
                          .gradient = {many.data(), 1, good.row},
                          .input_gradient = {}};
  EXPECT_THROW(check_conv2d_backward_shapes(good.layer, backward), std::invalid_argument);
  backward.gradient.rows = 2;
  EXPECT_NO_THROW(check_conv2d_backward_shapes(good.layer, backward));
  backward.input_gradient = {many.data(), 8, in - 1};
  EXPECT_THROW(check_conv2d_backward_shapes(good.layer, backward), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
