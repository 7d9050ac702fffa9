// Convolutions in TF32: on tensor cores where a GPU has them for a layer's shape, as exact as ever elsewhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/backends.h"
#include "tests/kernels/layers/conv2d/tf32_case.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

using Shape = Tf32Shape;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// A sum in double, and what its terms add up to without their signs.
struct Sum {
  double value = 0, magnitude = 0;
  int terms = 0;
  bool is_of_products = true;  ///< in TF32, else of numbers, in fp32
  void add(double term) { value += term, magnitude += std::abs(term), ++terms; }
  double bound() const {
    return (is_of_products ? 0x1p-10 + (terms + 3) * 0x1p-22 : (terms + 3) * 0x1p-24) * magnitude;
  }
};
/// Whether sums of small whole numbers are expected, which are exact.
enum class Are { kRounded, kExact };
void expect_within_bound(const std::vector<float>& computed, const std::vector<Sum>& sums, const char* what, Are are) {
  ASSERT_EQ(computed.size(), sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i)
    ASSERT_NEAR(computed[i], sums[i].value, are == Are::kExact ? 0 : sums[i].bound()) << what << ' ' << i;
}

void expect_the_convolution(const Conv2dCase& c, const std::vector<float>& output, Are are = Are::kRounded) {
  std::vector<Sum> sums(output.size());
  for (int sample = 0; sample < c.rows(); ++sample)
    for_each_tap(c, sample, [&](int out, int in, std::int64_t weight) {
      sums[out].add(static_cast<double>(c.input[in]) * c.z(sample / c.shape.samples, weight));
    });
  const int per_node = c.layer.out_shape().size() * c.shape.samples;
  for (std::size_t i = 0; i < sums.size() && c.shape.bias; ++i)
    sums[i].add(c.z(static_cast<int>(i) / per_node, c.layer.bias + i % c.shape.out));
  expect_within_bound(output, sums, "output", are);
}

void expect_the_gradients(const Conv2dCase& c, const Conv2dGradients& computed, Are are = Are::kRounded) {
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
  for (std::size_t i = 0; i < c.output_gradient.size() && c.shape.bias; ++i) {
    Sum& sum = row[i / per_node * c.row + c.layer.bias + i % c.shape.out];
    sum.is_of_products = false;
    sum.add(c.output_gradient[i]);
  }
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::int64_t j = static_cast<std::int64_t>(i) % c.row, weight = j - c.layer.weight, bias = j - c.layer.bias;
    if (!(weight >= 0 && weight < c.weights()) && !(c.shape.bias && bias >= 0 && bias < c.shape.out))
      row[i].value = kUntouched;
  }
  expect_within_bound(computed.row, row, "row", are);
  expect_within_bound(computed.input, input, "input", are);
}

template <class Backend>
class TensorConvolutionOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(TensorConvolutionOn, Backends);

TYPED_TEST(TensorConvolutionOn, IsTheConvolutionWithinTheBoundOfTf32) {
  for (const Shape& shape : tf32_shapes()) {
    const Conv2dCase c = case_of(shape);
    SCOPED_TRACE(testing::Message() << c.shape);
    expect_the_convolution(c, forward(tested_backend<TypeParam>(), c));
    expect_the_gradients(c, backward(tested_backend<TypeParam>(), c));
  }
}

/// A bound hides a few terms of a long sum, and exact sums do not. With ranges of tiles, the last of which are shorter.
TYPED_TEST(TensorConvolutionOn, SumsOfWholeNumbersAreExact) {
  for (const Shape& shape : {Shape{66, 64, 3, 16}, Shape{66, 64, 1, 16}, Shape{66, 64, 16, 16},
                             Shape{9, 32, 32, 32, 1, 8}, Shape{34, 64, 16, 32, 2, 4}}) {
    Conv2dCase c = case_of(shape);
    c.u.assign(c.u.size(), 1);
    int i = 0;
    for (auto* all : {&c.x, &c.input, &c.output_gradient})
      for (float& value : *all) {
        ++i;
        value = static_cast<float>((7 * i + i / 11) % 5 - 2);
      }
    SCOPED_TRACE(testing::Message() << c.shape);
    expect_the_convolution(c, forward(tested_backend<TypeParam>(), c), Are::kExact);
    expect_the_gradients(c, backward(tested_backend<TypeParam>(), c), Are::kExact);
  }
}

/// Of weights that stay in shared memory, of some that are replaced, with a stride, with sums that are split, and of so
/// many nodes that a block has several.
TYPED_TEST(TensorConvolutionOn, IsTheConvolutionInEveryWayToRun) {
  for (const Shape& shape : {Shape{8, 8, 16, 16, 1, 9, 2}, Shape{4, 4, 48, 32, 1, 3, 2}, Shape{6, 10, 16, 32, 2, 3, 2},
                             Shape{64, 64, 16, 16, 1, 1, 1}, Shape{3, 3, 16, 16, 1, 1, 30, true},
                             Shape{64, 64, 3, 16, 1, 1, 1}, Shape{3, 3, 1, 32, 1, 1, 30}}) {
    const Conv2dCase c = case_of(shape);
    SCOPED_TRACE(testing::Message() << c.shape);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      expect_the_convolution(c, forward(backend, c));
      expect_the_gradients(c, backward(backend, c));
    });
  }
}

TYPED_TEST(TensorConvolutionOn, ANodesBitsDoNotDependOnTheOtherNodesOfACall) {
  const TypeParam backend = tested_backend<TypeParam>();
  for (const Shape& shape : {Shape{8, 8, 32, 16, 1, 5, 3}, Shape{6, 10, 16, 32, 2, 3, 3},
                             Shape{64, 64, 16, 16, 1, 1, 2}, Shape{64, 64, 3, 16, 1, 1, 2}}) {
    const Conv2dCase c = case_of(shape);
    SCOPED_TRACE(testing::Message() << c.shape);
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

/// `computed` is NaN where `reached` by NaN, and not finite where by infinity; elsewhere it has the bits of `clean`,
/// but for NaN where `may_be_nan`.
void expect_only(float bad, const std::vector<float>& computed, const std::vector<float>& clean,
                 const std::vector<bool>& reached, const std::vector<bool>& may_be_nan) {
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const bool is_as_before = computed[i] == clean[i] || (may_be_nan[i] && std::isnan(computed[i]));
    const bool is_bad = std::isnan(bad) ? std::isnan(computed[i]) : !std::isfinite(computed[i]);
    ASSERT_TRUE(reached[i] ? is_bad : is_as_before) << i << " is " << computed[i];
  }
}

/// NaN of every kind: what arithmetic of a GPU and of a processor returns, and one that is told from infinity by its
/// last bit only. Padding may make NaN of what meets it.
TYPED_TEST(TensorConvolutionOn, HardValuesReachWhatDependsOnThemAndNothingElse) {
  const TypeParam backend = tested_backend<TypeParam>();
  const float bad_values[] = {std::bit_cast<float>(0x7fffffffu), -kNan, std::bit_cast<float>(0x7f800001u), kInfinity};
  for (const Shape& shape : {Shape{5, 6, 16, 32, 1, 2, 2}, Shape{5, 6, 16, 16, 2, 2, 2}, Shape{5, 6, 3, 16, 1, 2, 2}}) {
    const Conv2dCase clean = case_of(shape);
    SCOPED_TRACE(testing::Message() << clean.shape);
    const std::vector<float> output = forward(backend, clean);
    const Conv2dGradients gradients = backward(backend, clean);
    const int inputs = static_cast<int>(clean.input.size()), outputs = static_cast<int>(output.size());
    const int rows = static_cast<int>(clean.x.size());
    const auto reached_by = [&](auto meets, auto reaches, int count) {
      std::vector<bool> reached(count);
      for (int sample = 0; sample < clean.rows(); ++sample)
        for_each_tap(clean, sample, [&](int out, int in, std::int64_t weight) {
          const std::int64_t parameter = sample / shape.samples * clean.row + weight;
          if (meets(out, in, parameter)) reached[reaches(out, in, parameter)] = true;
        });
      return reached;
    };
    const auto to_output = [](int out, int, std::int64_t) { return out; };
    const auto to_input = [](int, int in, std::int64_t) { return in; };
    const auto to_row = [](int, int, std::int64_t parameter) { return parameter; };
    for (const float bad : bad_values) {
      for (const int at : {0, inputs / 2 - 1, inputs - 1}) {
        SCOPED_TRACE(testing::Message() << bad << " in input " << at);
        const auto meets = [&](int, int in, std::int64_t) { return in == at; };
        Conv2dCase c = clean;
        c.input[at] = bad;
        expect_only(bad, forward(backend, c), output, reached_by(meets, to_output, outputs),
                    std::vector<bool>(outputs));
        expect_only(bad, backward(backend, c).row, gradients.row, reached_by(meets, to_row, rows),
                    std::vector<bool>(rows));
      }
      for (const int at : {0, outputs / 2 - 1, outputs - 1}) {
        SCOPED_TRACE(testing::Message() << bad << " in output gradient " << at);
        const auto meets = [&](int out, int, std::int64_t) { return out == at; };
        Conv2dCase c = clean;
        c.output_gradient[at] = bad;
        const Conv2dGradients computed = backward(backend, c);
        expect_only(bad, computed.input, gradients.input, reached_by(meets, to_input, inputs),
                    std::vector<bool>(inputs));
        std::vector<bool> of_output(rows);  // its weights, some of which meet padding there
        const int node = at / (outputs / shape.nodes), of_one = clean.weights() / shape.out;
        for (int i = 0; i < of_one; ++i)
          of_output[node * clean.row + clean.layer.weight + at % shape.out * of_one + i] = true;
        expect_only(bad, computed.row, gradients.row, reached_by(meets, to_row, rows), of_output);
      }
      for (const int of_node : {0, clean.weights() / 2, clean.weights() - 1}) {
        SCOPED_TRACE(testing::Message() << bad << " in weight " << of_node);
        const std::int64_t at = clean.row + clean.layer.weight + of_node;
        const auto meets = [&](int, int, std::int64_t parameter) { return parameter == at; };
        Conv2dCase c = clean;
        c.x[at] = bad;
        std::vector<bool> of_output(outputs), of_input(inputs);
        for (int i = outputs / 2; i < outputs; ++i) of_output[i] = i % shape.out == of_node / 9 / shape.channels;
        for (int i = inputs / 2; i < inputs; ++i) of_input[i] = i % shape.channels == of_node / 9 % shape.channels;
        expect_only(bad, forward(backend, c), output, reached_by(meets, to_output, outputs), of_output);
        expect_only(bad, backward(backend, c).input, gradients.input, reached_by(meets, to_input, inputs), of_input);
      }
    }
  }
}

/// 1 + 2^-11 + 2^-23 is rounded to 1 + 2^-10; without its low bits it would be 1.
TYPED_TEST(TensorConvolutionOn, FactorsAreRoundedToTheNearest) {
  constexpr float kFactor = 1 + 0x1p-11f + 0x1p-23f;
  const TypeParam backend = tested_backend<TypeParam>();
  const float product = std::is_same_v<TypeParam, Cuda> && Cuda::is_available() ? 1 + 0x1p-10f : kFactor;
  for (const Shape& shape : {Shape{1, 1, 16, 16, 1}, Shape{1, 1, 16, 16, 2}, Shape{1, 1, 3, 16}})
    for (const bool in_weight : {false, true}) {
      Conv2dCase c = case_of(shape);
      c.u = {1};
      for (auto* all : {&c.x, &c.input, &c.output_gradient}) std::fill(all->begin(), all->end(), 0.0f);
      c.input[2] = c.output_gradient[5] = in_weight ? 1 : kFactor;
      c.x[c.layer.weight + (5 * shape.channels + 2) * 9 + 4] = in_weight ? kFactor : 1;  // the tap in the middle
      SCOPED_TRACE(testing::Message() << c.shape << ", in weight " << in_weight);
      EXPECT_EQ(forward(backend, c)[5], product);
      EXPECT_EQ(backward(backend, c).input[2], shape.channels == 3 ? kFactor : product) << "no kernel for 3";
      c.input[2] = 1;
      EXPECT_EQ(backward(backend, c).row[c.layer.weight + (5 * shape.channels + 2) * 9 + 4], in_weight ? 1 : product);
      c.input[2] = c.output_gradient[5], c.output_gradient[5] = 1;
      EXPECT_EQ(backward(backend, c).row[c.layer.weight + (5 * shape.channels + 2) * 9 + 4], in_weight ? 1 : product);
    }
}

TYPED_TEST(TensorConvolutionOn, ABiasIsAddedInFp32) {
  for (const Shape& shape :
       {Shape{2, 2, 16, 16, 1, 1, 1, true}, Shape{2, 2, 16, 16, 2, 1, 1, true}, Shape{2, 2, 3, 16, 1, 1, 1, true}}) {
    Conv2dCase c = case_of(shape);
    c.u = {1};
    std::fill(c.input.begin(), c.input.end(), 0.0f);
    for (int i = 0; i < 16; ++i) c.x[c.layer.bias + i] = 1 + static_cast<float>(i) * 0x1p-23f;
    const std::vector<float> output = forward(tested_backend<TypeParam>(), c);
    for (std::size_t i = 0; i < output.size(); ++i) EXPECT_EQ(output[i], c.x[c.layer.bias + i % 16]) << c.shape;
  }
}

/// A first term that is infinite makes its sums infinite, not NaN: nothing is multiplied by zero but beyond the edges.
TYPED_TEST(TensorConvolutionOn, InfinityStaysInfinityAwayFromTheEdges) {
  for (const int channels : {1, 3, 16}) {
    Conv2dCase c = case_of({3, 3, channels, 16});
    for (float& weight : c.x) weight = 1;
    c.input[0] = kInfinity;
    EXPECT_EQ(forward(tested_backend<TypeParam>(), c)[4 * 16], kInfinity) << channels;
  }
}

/// Where a GPU's tensor cores have no kernel, or layers do not ask for one, sums are those of fp32 to the bit.
TYPED_TEST(TensorConvolutionOn, OtherShapesAreComputedInFp32) {
  const TypeParam backend = tested_backend<TypeParam>();
  const auto expect_fp32 = [&](Conv2dCase c) {
    SCOPED_TRACE(testing::Message() << c.shape);
    const std::vector<float> output = forward(backend, c);
    const Conv2dGradients gradients = backward(backend, c);
    c.layer.precision = Precision::kFp32;
    EXPECT_TRUE(same_values(forward(backend, c), output));
    const Conv2dGradients of_fp32 = backward(backend, c);
    EXPECT_TRUE(same_values(of_fp32.row, gradients.row));
    EXPECT_TRUE(same_values(of_fp32.input, gradients.input));
  };
  expect_fp32(case_of({4, 4, 2, 16}));
  expect_fp32(case_of({4, 4, 16, 24}));
  expect_fp32(case_of({4, 4, 16, 16, 3}));
  expect_fp32(case_of({1, 1000, 16, 16}));
  Conv2dCase c({4, 4, 16, 16, 5, 1, 2});
  c.layer.precision = Precision::kTf32;
  expect_fp32(c);
  c = Conv2dCase({4, 4, 16, 16, 3, 1, 1});  // weights are on no 16 bytes
  c.layer.precision = Precision::kTf32;
  EXPECT_TRUE(same_values(forward(backend, c), forward(backend, Conv2dCase(c.shape))));
}

}  // namespace
}  // namespace sparsepush
