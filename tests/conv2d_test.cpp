#include "kernels/conv2d.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <filesystem>
#include <iterator>
#include <limits>
#include <span>
#include <vector>

#include "kernels/buffer.h"
#include "tests/backends.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kUntouched = 99;

struct Shape {
  int height, width, channels, out, kernel, stride, padding;
  int samples = 2, nodes = 1;
  bool bias = true;
};

std::ostream& operator<<(std::ostream& os, const Shape& s) {
  return os << s.height << " x " << s.width << " x " << s.channels << " to " << s.out << ", kernel " << s.kernel
            << ", stride " << s.stride << ", padding " << s.padding << ", samples " << s.samples << ", nodes "
            << s.nodes << (s.bias ? "" : ", no bias");
}

/// Every kernel, stride and padding on small images, every number of channels, and the shapes of real networks.
std::vector<Shape> shapes() {
  std::vector<Shape> all{
      {1, 1, 1, 1, 1, 1, 0, 1},       {1, 1, 3, 6, 3, 1, 1, 2, 3},    {1, 1, 16, 17, 5, 1, 2, 7},
      {1, 1, 64, 32, 3, 2, 1, 2},     {2, 2, 6, 16, 3, 1, 1, 7, 3},   {2, 2, 17, 32, 3, 2, 1, 2},
      {2, 2, 64, 64, 1, 2, 0, 7},     {2, 2, 3, 1, 5, 2, 2, 2, 3},    {5, 8, 3, 17, 3, 2, 1, 2, 3},
      {8, 5, 33, 16, 3, 1, 1, 7},     {7, 7, 17, 33, 3, 2, 0, 7},     {13, 9, 6, 64, 5, 2, 1, 1},
      {32, 32, 3, 16, 3, 1, 1, 2, 1}, {32, 32, 16, 16, 3, 1, 1, 1},   {32, 32, 16, 32, 3, 2, 1, 2},
      {32, 32, 16, 32, 1, 2, 0, 2},   {28, 28, 1, 6, 5, 1, 2, 2, 3},  {14, 14, 6, 16, 5, 1, 0, 7},
      {31, 33, 17, 3, 3, 1, 1, 1},    {20, 10, 3, 32, 5, 1, 2, 2},    {14, 24, 8, 16, 5, 1, 0, 2, 3, false},
      {10, 10, 1, 48, 5, 1, 2, 1},    {14, 14, 7, 16, 5, 1, 0, 2, 1}, {8, 8, 64, 64, 3, 1, 1, 2},
      {32, 32, 32, 64, 3, 1, 1, 1}};
  const int channels[] = {1, 3, 6, 16, 17, 32, 64}, samples[] = {1, 2, 7};
  int i = 0;
  for (const int kernel : {1, 3, 5})
    for (const int stride : {1, 2})
      for (const int padding : {0, 1, 2})
        for (int pair = 0; pair < 4; ++pair, ++i)
          all.push_back({5, 5, channels[i % 7], channels[(i / 7 + 2 * i) % 7], kernel, stride, padding, samples[i % 3],
                         i % 5 == 0 ? 3 : 1, i % 2 == 0});
  return all;
}

/// Nodes with different u, their parameters among others in a longer row, and what a pass reads.
struct Case {
  explicit Case(const Shape& shape)
      : shape(shape),
        layer{.in = {shape.height, shape.width, shape.channels},
              .out = shape.out,
              .kernel = shape.kernel,
              .stride = shape.stride,
              .padding = shape.padding,
              .weight = 5} {
    const int end = static_cast<int>(layer.weight) + weights();
    if (shape.bias) layer.bias = end + 2;
    row = end + 2 + shape.out + 3;
    x = values(shape.nodes * row, 1);
    input = values(rows() * layer.in.size(), 2);
    output_gradient = values(rows() * layer.out_shape().size(), 3);
    for (int node = 0; node < shape.nodes; ++node) u.push_back(std::vector{0.5, 1.0, 3.0}[node % 3]);
  }
  static std::vector<float> values(int count, int salt) {
    std::vector<float> v(count);
    for (int i = 0; i < count; ++i) v[i] = std::sin(static_cast<float>(salt + 7 * i));
    return v;
  }
  int rows() const { return shape.nodes * shape.samples; }
  int weights() const { return shape.out * shape.channels * shape.kernel * shape.kernel; }
  float z(int node, std::int64_t element) const { return x[node * row + element] * static_cast<float>(1.0 / u[node]); }

  Shape shape;
  Conv2dLayer layer;
  int row = 0;
  std::vector<float> x, input, output_gradient;
  std::vector<double> u;
};

template <class Backend>
std::vector<float> forward(const Backend& backend, Conv2d<Backend>& conv, const Case& c) {
  const Buffer<Backend, float> x(backend, c.shape.nodes, c.row, c.x),
      input(backend, c.rows(), c.layer.in.size(), c.input);
  const Buffer<Backend, double> u(backend, c.u);
  const int outputs = c.layer.out_shape().size();
  const Buffer<Backend, float> output(backend, c.rows(), outputs, std::vector<float>(c.rows() * outputs, kNan));
  conv.forward(backend, {.x = x.view(), .u = u.span(), .input = input.view(), .output = output.view()});
  return output.to_host();
}
template <class Backend>
std::vector<float> forward(const Backend& backend, const Case& c) {
  Conv2d<Backend> conv(c.layer);
  return forward(backend, conv, c);
}

struct Gradients {
  std::vector<float> row, input;
};
template <class Backend>
Gradients backward(const Backend& backend, Conv2d<Backend>& conv, const Case& c, bool wants_input = true) {
  const Buffer<Backend, float> x(backend, c.shape.nodes, c.row, c.x),
      input(backend, c.rows(), c.layer.in.size(), c.input),
      output_gradient(backend, c.rows(), c.layer.out_shape().size(), c.output_gradient),
      gradient(backend, c.shape.nodes, c.row, std::vector<float>(c.x.size(), kUntouched)),
      input_gradient(backend, c.rows(), c.layer.in.size(), std::vector<float>(c.input.size(), kNan));
  const Buffer<Backend, double> u(backend, c.u);
  conv.backward(backend, {.x = x.view(),
                          .u = u.span(),
                          .input = input.view(),
                          .output_gradient = output_gradient.view(),
                          .gradient = gradient.view(),
                          .input_gradient = wants_input ? input_gradient.view() : MatrixView<float>{}});
  return {gradient.to_host(), input_gradient.to_host()};
}
template <class Backend>
Gradients backward(const Backend& backend, const Case& c, bool wants_input = true) {
  Conv2d<Backend> conv(c.layer);
  return backward(backend, conv, c, wants_input);
}

/// Calls tap(output, input, weight) for every product in the definition of the convolution of sample `sample`: indices
/// of elements of the output, the input and a node's row.
void for_each_tap(const Case& c, int sample, const auto& tap) {
  const ImageShape in = c.layer.in, out = c.layer.out_shape();
  const Conv2dLayer& l = c.layer;
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x)
      for (int o = 0; o < out.channels; ++o)
        for (int ky = 0; ky < l.kernel; ++ky)
          for (int kx = 0; kx < l.kernel; ++kx) {
            const int in_y = y * l.stride + ky - l.padding, in_x = x * l.stride + kx - l.padding;
            if (in_y < 0 || in_y >= in.height || in_x < 0 || in_x >= in.width) continue;
            for (int i = 0; i < in.channels; ++i)
              tap(((sample * out.height + y) * out.width + x) * out.channels + o,
                  ((sample * in.height + in_y) * in.width + in_x) * in.channels + i,
                  l.weight + ((o * in.channels + i) * l.kernel + ky) * l.kernel + kx);
          }
}

/// A sum and what its terms add up to without their signs, in double, and how many they are.
struct Sum {
  double value = 0, magnitude = 0;
  int terms = 0;
  void add(double term) { value += term, magnitude += std::abs(term), ++terms; }
};
/// Within 2^-24 of the magnitude for each term: its product and its addition are rounded, most often as one.
void expect_within_bound(const std::vector<float>& computed, const std::vector<Sum>& sums, const char* what) {
  ASSERT_EQ(computed.size(), sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i)
    ASSERT_NEAR(computed[i], sums[i].value, (sums[i].terms + 1) * 0x1p-24 * sums[i].magnitude) << what << ' ' << i;
}

void expect_the_convolution(const Case& c, const std::vector<float>& output) {
  std::vector<Sum> sums(output.size());
  for (int sample = 0; sample < c.rows(); ++sample)
    for_each_tap(c, sample, [&](int out, int in, std::int64_t weight) {
      sums[out].add(static_cast<double>(c.input[in]) * c.z(sample / c.shape.samples, weight));
    });
  const int per_sample = c.layer.out_shape().size();
  for (std::size_t i = 0; i < sums.size() && c.shape.bias; ++i)
    sums[i].add(c.z(static_cast<int>(i) / per_sample / c.shape.samples, c.layer.bias + i % c.shape.out));
  expect_within_bound(output, sums, "output");
}

void expect_the_gradients(const Case& c, const Gradients& computed) {
  std::vector<Sum> row(c.x.size()), input(c.input.size());
  for (int sample = 0; sample < c.rows(); ++sample) {
    const int node = sample / c.shape.samples;
    for_each_tap(c, sample, [&](int out, int in, std::int64_t weight) {
      const double dy = c.output_gradient[out];
      row[node * c.row + weight].add(dy * c.input[in]);
      input[in].add(dy * c.z(node, weight));
    });
  }
  const int per_node = c.layer.out_shape().size() * c.shape.samples;
  for (std::size_t i = 0; i < c.output_gradient.size() && c.shape.bias; ++i)
    row[i / per_node * c.row + c.layer.bias + i % c.shape.out].add(c.output_gradient[i]);
  for (int i = 0; i < static_cast<int>(row.size()); ++i) {
    const std::int64_t j = i % c.row, weight = j - c.layer.weight, bias = j - c.layer.bias;
    if (!(weight >= 0 && weight < c.weights()) && !(c.shape.bias && bias >= 0 && bias < c.shape.out))
      row[i].value = kUntouched;
  }
  expect_within_bound(computed.row, row, "row");
  expect_within_bound(computed.input, input, "input");
}

template <class Backend>
class Conv2dOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(Conv2dOn, testing::Types<Cpu>);

TYPED_TEST(Conv2dOn, ForwardIsTheConvolutionAtZWithinItsBound) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(testing::Message() << shape);
    const Case c(shape);
    expect_the_convolution(c, forward(TypeParam(), c));
  }
}

TYPED_TEST(Conv2dOn, BackwardIsTheGradientWithinItsBoundAndLeavesTheRestOfTheRowAlone) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(testing::Message() << shape);
    const Case c(shape);
    expect_the_gradients(c, backward(TypeParam(), c));
  }
}

/// The sum that backward differentiates, in double, with node `node`'s parameters `z` and the inputs `input`.
double weighted_outputs(const Case& c, const std::vector<double>& z, const std::vector<double>& input) {
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
  Case c({4, 5, 3, 2, 3, 2, 1, 2});
  c.u = {3.0};
  const Gradients gradients = backward(TypeParam(), c);
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
  Case c({1, 1, 1, 17, 1, 1, 0, 1, 3, false});
  c.input.assign(3, 1);
  const std::vector<float> output = forward(TypeParam(), c);
  for (int i = 0; i < 3 * 17; ++i) EXPECT_EQ(output[i], c.z(i / 17, c.layer.weight + i % 17)) << i;
  c = Case({1, 1, 1, 17, 1, 1, 0, 1, 3});
  c.input.assign(3, 0);
  const std::vector<float> biases = forward(TypeParam(), c);
  for (int i = 0; i < 3 * 17; ++i) EXPECT_EQ(biases[i], c.z(i / 17, c.layer.bias + i % 17)) << i;
}

TYPED_TEST(Conv2dOn, BackwardOfTheFirstLayerNeedsNoInputGradient) {
  const Case c({5, 5, 3, 17, 3, 1, 1, 2, 3});
  const Gradients without = backward(TypeParam(), c, false);
  EXPECT_EQ(without.row, backward(TypeParam(), c).row);
  for (const float v : without.input) EXPECT_TRUE(std::isnan(v)) << "not touched";
}

TYPED_TEST(Conv2dOn, CallsOfOneObjectDoNotDependOnEachOther) {
  Shape shape{6, 6, 17, 33, 3, 1, 1};
  const TypeParam backend;
  Conv2d<TypeParam> conv(Case(shape).layer);
  for (const int samples : {2, 7, 1, 2}) {
    for (const int nodes : {1, 3}) {
      shape.samples = samples;
      shape.nodes = nodes;
      const Case c(shape);
      const Gradients reused = backward(backend, conv, c), fresh = backward(backend, c);
      EXPECT_TRUE(same_values(reused.row, fresh.row));
      EXPECT_TRUE(same_values(reused.input, fresh.input));
      EXPECT_TRUE(same_values(forward(backend, conv, c), forward(backend, c)));
    }
  }
}

/// `computed` must be finite or not as `reached` says, and where it says no have the value of `clean`.
void expect_only(const std::vector<float>& computed, const std::vector<float>& clean,
                 const std::vector<bool>& reached) {
  for (std::size_t i = 0; i < clean.size(); ++i) {
    if (reached[i])
      EXPECT_FALSE(std::isfinite(computed[i])) << i;
    else
      EXPECT_TRUE(same_values(std::vector<float>{computed[i]}, {clean[i]})) << i;
  }
}

/// In the last of 17 or 33 channels, beside what vectors fill up with zeros.
TYPED_TEST(Conv2dOn, HardValuesReachOnlyWhatDependsOnThem) {
  const Case clean({5, 6, 17, 33, 3, 1, 1, 2, 2});
  const TypeParam backend;
  const std::vector<float> output = forward(backend, clean);
  const Gradients gradients = backward(backend, clean);
  const int inputs = static_cast<int>(clean.input.size()), outputs = static_cast<int>(output.size());
  const std::int64_t centre = clean.layer.weight + clean.weights() - 5;  // of the last channels; always on the image
  for (const float bad : {kNan, std::numeric_limits<float>::infinity()}) {
    for (const int at : {16, inputs / 2 - 1, inputs - 1}) {
      SCOPED_TRACE(testing::Message() << bad << " in input " << at);
      Case c = clean;
      c.input[at] = bad;
      std::vector<bool> output_reached(outputs), row_reached(c.x.size());
      for (int sample = 0; sample < c.rows(); ++sample)
        for_each_tap(c, sample, [&](int out, int in, std::int64_t weight) {
          if (in == at) output_reached[out] = row_reached[sample / 2 * c.row + weight] = true;
        });
      expect_only(forward(backend, c), output, output_reached);
      expect_only(backward(backend, c).row, gradients.row, row_reached);
    }
    for (const int at : {32, outputs / 2 - 1, outputs - 1}) {
      SCOPED_TRACE(testing::Message() << bad << " in output gradient " << at);
      Case c = clean;
      c.output_gradient[at] = bad;
      std::vector<bool> input_reached(inputs), row_reached(c.x.size());
      for (int sample = 0; sample < c.rows(); ++sample)
        for_each_tap(c, sample, [&](int out, int in, std::int64_t weight) {
          if (out == at) input_reached[in] = row_reached[sample / 2 * c.row + weight] = true;
        });
      row_reached[at / (outputs / 2) * c.row + c.layer.bias + 32] = true;
      const Gradients computed = backward(backend, c);
      expect_only(computed.input, gradients.input, input_reached);
      expect_only(computed.row, gradients.row, row_reached);
    }
    Case c = clean;
    c.x[c.row + centre] = bad;
    c.x[c.row + c.layer.bias] = bad;
    std::vector<bool> output_reached(outputs), input_reached(inputs);
    for (int i = outputs / 2; i < outputs; ++i) output_reached[i] = i % 33 == 32 || i % 33 == 0;
    for (int i = inputs / 2; i < inputs; ++i) input_reached[i] = i % 17 == 16;
    expect_only(forward(backend, c), output, output_reached);
    expect_only(backward(backend, c).input, gradients.input, input_reached);
  }
}

TYPED_TEST(Conv2dOn, DenormalsAreNotFlushed) {
  Case c({1, 1, 1, 1, 1, 1, 0, 1});
  c.u = {1};
  c.x[c.layer.weight] = 1;
  c.x[c.layer.bias] = 0;
  c.input = {1e-40f};
  c.output_gradient = {-1e-45f};
  EXPECT_EQ(forward(TypeParam(), c), std::vector<float>{1e-40f});
  const Gradients gradients = backward(TypeParam(), c);
  EXPECT_EQ(gradients.input, std::vector<float>{-1e-45f});
  EXPECT_EQ(gradients.row[c.layer.bias], -1e-45f);
}

/// What a pass over all nodes computes, one node at a time on the threads of a pool.
struct Pass {
  Pass(const Cpu& cpu, const Case& c)
      : output(c.rows() * c.layer.out_shape().size()), row(c.x.size()), input(c.input.size()) {
    const int nodes = c.shape.nodes, samples = c.shape.samples;
    std::vector<Conv2d<Cpu>> convs;
    for (int worker = 0; worker < cpu.threads(); ++worker) convs.emplace_back(c.layer);
    const MatrixView<const float> x{c.x.data(), nodes, c.row}, in{c.input.data(), c.rows(), c.layer.in.size()};
    const MatrixView<const float> dy{c.output_gradient.data(), c.rows(), c.layer.out_shape().size()};
    const MatrixView<float> y{output.data(), c.rows(), dy.cols}, gradient{row.data(), nodes, c.row};
    const MatrixView<float> dx{input.data(), c.rows(), in.cols};
    cpu.pool().run(nodes, [&](std::int64_t item, int worker) {
      const int node = static_cast<int>(item), first = node * samples;
      const auto u = std::span(c.u).subspan(node, 1);
      convs[worker].forward(cpu, {.x = x.rows_from(node, 1),
                                  .u = u,
                                  .input = in.rows_from(first, samples),
                                  .output = y.rows_from(first, samples)});
      convs[worker].backward(cpu, {.x = x.rows_from(node, 1),
                                   .u = u,
                                   .input = in.rows_from(first, samples),
                                   .output_gradient = dy.rows_from(first, samples),
                                   .gradient = gradient.rows_from(node, 1),
                                   .input_gradient = dx.rows_from(first, samples)});
    });
  }
  std::vector<float> output, row, input;
};

TEST(Conv2d, SameBitsOnAnyNumberOfThreads) {
  for (const Shape& shape : {Shape{16, 16, 16, 32, 3, 2, 1, 7, 13}, Shape{4, 4, 64, 64, 3, 1, 1, 2, 13},
                             Shape{14, 14, 6, 16, 5, 1, 0, 2, 13}, Shape{8, 8, 3, 6, 5, 1, 0, 2, 13}}) {
    const Case c(shape);
    const Pass one(Cpu(1), c), four(Cpu(4), c);
    EXPECT_TRUE(same_values(four.output, one.output));
    EXPECT_TRUE(same_values(four.row, one.row));
    EXPECT_TRUE(same_values(four.input, one.input));
    EXPECT_TRUE(same_values(forward(Cpu(1), c), one.output)) << "all nodes in one call";
  }
}

int threads_of_process() {
  using std::filesystem::directory_iterator;
  return static_cast<int>(std::distance(directory_iterator("/proc/self/task"), directory_iterator()));
}

TEST(Conv2d, ComputesOnTheCallingThreadEvenIfOpenMPHasMore) {
  const Case c({32, 32, 16, 32, 3, 1, 1, 32});
  const Cpu cpu(1);
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const Pass one(cpu, c);
  omp_set_num_threads(3);
  const int threads = threads_of_process();
  const Pass three(cpu, c);
  EXPECT_EQ(threads_of_process(), threads);
  EXPECT_EQ(omp_get_max_threads(), 3) << "the caller's setting";
  omp_set_num_threads(before);
  EXPECT_TRUE(same_values(three.output, one.output));
  EXPECT_TRUE(same_values(three.row, one.row));
  EXPECT_TRUE(same_values(three.input, one.input));
}

TEST(Conv2d, BytesHoldTheWeightsOnce) {
  const Conv2dLayer layer{.in = {4, 4, 256}, .out = 512};
  const std::int64_t weights = std::int64_t{4} * 256 * 512 * 9;
  for (const int samples : {1, 32}) {
    EXPECT_GE(Conv2d<Cpu>::bytes(layer, samples), weights);
    EXPECT_LT(Conv2d<Cpu>::bytes(layer, samples), 2 * weights);
  }
}

TEST(Conv2d, RefusesShapesThatDoNotFit) {
  const Case good({5, 5, 3, 2, 3, 1, 1, 4, 2});
  const auto refuses = [&](const auto& change) {
    Case c = good;
    change(c);
    EXPECT_THROW(forward(Cpu(1), c), std::invalid_argument);
    EXPECT_THROW(backward(Cpu(1), c), std::invalid_argument);
  };
  refuses([](Case& c) { c.layer.weight = c.row - c.weights() + 1; });
  refuses([](Case& c) { c.layer.weight = -1; });
  refuses([](Case& c) { c.layer.bias = c.row - 1; });
  refuses([](Case& c) { c.layer.bias = -2; });
  refuses([](Case& c) { c.layer.stride = -1; });
  refuses([](Case& c) { c.layer.padding = -1; });
  refuses([](Case& c) { c.u.pop_back(); });

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
