// Convolutions on tensor cores that normalize their input while they read it.
#include "kernels/layers/norm_on_load.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "kernels/layers/conv2d/tensor_tiles.h"
#include "tests/backends.h"
#include "tests/kernels/layers/conv2d/tf32_case.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

using Shape = Tf32Shape;

/// A case whose input is to be normalized by terms [nodes, 3 * channels + 4]: a zero would become another number.
struct NormCase {
  explicit NormCase(const Shape& shape, bool with_relu = true) : conv(case_of(shape)), relu(with_relu) {
    terms = Conv2dCase::values(shape.nodes * columns(), 4);
  }
  int columns() const { return 3 * conv.shape.channels + 4; }
  ChannelNorm norm(int node, int channel) const {
    const float* of_channel = terms.data() + node * columns() + channel;
    return {of_channel[0], of_channel[conv.shape.channels], of_channel[2 * conv.shape.channels]};
  }
  /// The same convolution of an input that was normalized before, by the definition.
  Conv2dCase normalized() const {
    Conv2dCase c = conv;
    const int per_node = static_cast<int>(c.input.size()) / c.shape.nodes;
    for (int i = 0; i < static_cast<int>(c.input.size()); ++i) {
      const ChannelNorm by = norm(i / per_node, i % c.shape.channels);
      const float difference = c.input[i] - by.mean, scaled = difference * by.scale, h = scaled + by.shift;
      c.input[i] = relu && h < 0 ? 0 : h;
    }
    return c;
  }

  Conv2dCase conv;
  bool relu;
  std::vector<float> terms;
};

struct Computed {
  std::vector<float> output;
  Conv2dGradients gradients;
};

template <class Backend>
Computed compute(const Backend& backend, const NormCase& n) {
  const Conv2dCase& c = n.conv;
  const int outputs = c.layer.out_shape().size(), nodes = c.shape.nodes;
  Conv2d<Backend> conv(backend, c.layer, nodes, c.shape.samples);
  const Buffer<Backend, float> x(backend, nodes, c.row, c.x), input(backend, c.rows(), c.layer.in.size(), c.input),
      output(backend, c.rows(), outputs), terms(backend, nodes, n.columns(), n.terms),
      output_gradient(backend, c.rows(), outputs, c.output_gradient),
      gradient(backend, nodes, c.row, std::vector<float>(c.x.size(), kUntouched)),
      input_gradient(backend, c.rows(), c.layer.in.size());
  const Buffer<Backend, double> u(backend, c.u);
  const NormOnLoad norm{.terms = terms.view(), .relu = n.relu};
  conv.forward(backend, {.x = x.view(), .u = u.span(), .input = input.view(), .output = output.view(), .norm = norm});
  conv.backward(backend, {.x = x.view(),
                          .u = u.span(),
                          .input = input.view(),
                          .output_gradient = output_gradient.view(),
                          .gradient = gradient.view(),
                          .input_gradient = input_gradient.view(),
                          .norm = norm});
  return {output.to_host(), {gradient.to_host(), input_gradient.to_host()}};
}

template <class Backend>
void expect_that_of_a_normalized_input(const Backend& backend, const NormCase& n) {
  SCOPED_TRACE(testing::Message() << n.conv.shape << ", relu " << n.relu);
  const Conv2dCase before = n.normalized();
  const Conv2dGradients wanted = backward(backend, before);
  const Computed computed = compute(backend, n);
  EXPECT_TRUE(same_values(computed.output, forward(backend, before)));
  EXPECT_TRUE(same_values(computed.gradients.row, wanted.row));
  EXPECT_TRUE(same_values(computed.gradients.input, wanted.input));
}

template <class Backend>
class NormOnLoadOn : public BackendTest<Backend> {
 protected:
  void SetUp() override {
    if (std::is_same_v<Backend, Cpu>) GTEST_SKIP() << "a Cpu normalizes nothing on load";
    BackendTest<Backend>::SetUp();
  }
};
TYPED_TEST_SUITE(NormOnLoadOn, Backends);

TYPED_TEST(NormOnLoadOn, IsTheConvolutionOfANormalizedInput) {
  int tested = 0;
  for (const Shape& shape : tf32_shapes()) {
    const NormCase n(shape, ++tested % 3 != 0);
    if (can_normalize_on_load(n.conv.layer, shape.samples))
      expect_that_of_a_normalized_input(tested_backend<TypeParam>(), n);
    else
      EXPECT_LT(shape.channels, 16) << n.conv.shape;
  }
}

TYPED_TEST(NormOnLoadOn, IsTheSameInEveryWayToRun) {
  for (const Shape& shape : {Shape{8, 8, 16, 16, 1, 9, 2}, Shape{4, 4, 48, 32, 1, 3, 2}, Shape{6, 10, 32, 32, 2, 3, 2},
                             Shape{3, 3, 16, 16, 1, 1, 30, true}})
    for_each_way_to_run<TypeParam>(
        [&](const TypeParam& backend) { expect_that_of_a_normalized_input(backend, NormCase(shape)); });
}

TYPED_TEST(NormOnLoadOn, NotANumberStaysWhatItIs) {
  for (const bool in_terms : {false, true})
    for (const float bad : {kNan, std::numeric_limits<float>::infinity()}) {
      NormCase n({5, 6, 16, 16, 1, 2, 2});
      (in_terms ? n.terms[n.columns() + 16 + 5] : n.conv.input[37]) = bad;
      const Conv2dCase before = n.normalized();
      const std::vector<float> wanted = forward(tested_backend<TypeParam>(), before);
      const std::vector<float> output = compute(tested_backend<TypeParam>(), n).output;
      EXPECT_TRUE(same_values(output, wanted));
      EXPECT_TRUE(std::ranges::any_of(output, [](float v) { return !std::isfinite(v); }));
    }
}

TYPED_TEST(NormOnLoadOn, IsRefusedWhereNobodyDoesIt) {
  const TypeParam backend = tested_backend<TypeParam>();
  const auto expect_refused = [&](const NormCase& n) {
    EXPECT_THROW(compute(backend, n), std::invalid_argument) << n.conv.shape;
  };
  expect_refused(NormCase({8, 8, 3, 16}));
  expect_refused(NormCase({3, 33, 16, 16}));  // its parameters' gradient has no tiles
  NormCase n({8, 8, 16, 16});
  n.conv.layer.precision = Precision::kFp32;
  expect_refused(n);
  n = NormCase({8, 8, 16, 16});
  n.conv.layer.weight = 9;  // on no 16 bytes
  expect_refused(n);
}

}  // namespace
}  // namespace sparsepush
