// Convolutions on tensor cores that leave the gradient of their input as the batch normalization before wants it.
#include "kernels/layers/norm_gradient.h"

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

enum class Later { kNothing, kIdentity, kOptionA };

/// A case whose input is what a normalization left; what it normalized and what a later shortcut adds are random.
struct GradientCase {
  explicit GradientCase(const Shape& shape, Later later = Later::kNothing, bool relu = true, bool stored = true)
      : conv(case_of(shape)), relu(relu), stored(stored), has_later(later != Later::kNothing) {
    const ImageShape& in = conv.layer.in;
    later_shape = later == Later::kOptionA ? ImageShape{(in.height + 1) / 2, (in.width + 1) / 2, 2 * in.channels} : in;
    input = Conv2dCase::values(conv.rows() * in.size(), 5);
    skip_gradient = Conv2dCase::values(conv.rows() * later_shape.size(), 6);
    saved = Conv2dCase::values(shape.nodes * columns(), 7);
    terms = Conv2dCase::values(shape.nodes * columns(), 8);
  }
  int columns() const { return 3 * conv.shape.channels + 4; }  ///< of saved means and of terms
  int tiles() const { return norm_gradient_tiles(conv.layer, conv.shape.samples); }
  int sums_a_node() const { return static_cast<int>(NormGradientSums::doubles(tiles(), conv.shape.channels)) + 1; }
  int node_of(int i) const { return i / (static_cast<int>(input.size()) / conv.shape.nodes); }
  float mean(int i) const { return saved[node_of(i) * columns() + i % conv.shape.channels]; }
  /// What the normalization left, stored or by its terms.
  float output(int i) const {
    if (stored) return conv.input[i];
    const float* of_channel = terms.data() + node_of(i) * columns() + i % conv.shape.channels;
    const float difference = input[i] - of_channel[0], scaled = difference * of_channel[conv.shape.channels];
    return scaled + of_channel[2 * conv.shape.channels];
  }
  /// What comes to element i through the later shortcut.
  float added(int i) const {
    const ImageShape &in = conv.layer.in, &to = later_shape;
    if (in == to) return skip_gradient[i];
    const int sample = i / in.size(), pixel = i % in.size() / in.channels, y = pixel / in.width, x = pixel % in.width;
    if (y % 2 == 1 || x % 2 == 1) return 0;
    return skip_gradient[sample * to.size() + (y / 2 * to.width + x / 2) * to.channels + in.channels / 2 +
                         i % in.channels];
  }
  /// The gradient of h + shortcut, from that of the convolution's input.
  std::vector<float> masked(std::vector<float> gradient) const {
    for (int i = 0; i < static_cast<int>(gradient.size()); ++i) {
      if (has_later) gradient[i] += added(i);
      if (relu && output(i) <= 0) gradient[i] = 0;
    }
    return gradient;
  }

  Conv2dCase conv;
  bool relu, stored, has_later;
  ImageShape later_shape;
  std::vector<float> input, skip_gradient, saved, terms;
};

std::ostream& operator<<(std::ostream& os, const GradientCase& g) {
  return os << g.conv.shape << ", relu " << g.relu << ", stored " << g.stored << ", later " << g.has_later
            << (g.later_shape == g.conv.layer.in ? "" : "A");
}

struct Computed {
  Conv2dGradients gradients;
  std::vector<double> sums;  ///< [nodes, sums_a_node()]
};

/// `change` may change the arguments.
template <class Backend, class Change>
Computed compute(const Backend& backend, const GradientCase& g, const Change& change) {
  const Conv2dCase& c = g.conv;
  const int nodes = c.shape.nodes, inputs = c.layer.in.size(), sums_a_node = g.sums_a_node();
  Conv2d<Backend> conv(backend, c.layer, nodes, c.shape.samples);
  const Buffer<Backend, float> x(backend, nodes, c.row, c.x), input(backend, c.rows(), inputs, c.input),
      output_gradient(backend, c.rows(), c.layer.out_shape().size(), c.output_gradient),
      gradient(backend, nodes, c.row, std::vector<float>(c.x.size(), kUntouched)),
      input_gradient(backend, c.rows(), inputs, std::vector<float>(c.input.size(), kNan)),
      normalized(backend, c.rows(), inputs, g.input), terms(backend, nodes, g.columns(), g.terms),
      saved(backend, nodes, g.columns(), g.saved),
      skip_gradient(backend, c.rows(), g.later_shape.size(), g.skip_gradient);
  const Buffer<Backend, double> u(backend, c.u),
      sums(backend, nodes, sums_a_node, std::vector<double>(nodes * sums_a_node, 77));
  Conv2dBackward b{.x = x.view(),
                   .u = u.span(),
                   .input = input.view(),
                   .output_gradient = output_gradient.view(),
                   .gradient = gradient.view(),
                   .input_gradient = input_gradient.view(),
                   .norm_gradient = {.input = normalized.view(),
                                     .output = g.stored ? input.view() : MatrixView<float>{},
                                     .terms = g.stored ? MatrixView<float>{} : terms.view(),
                                     .saved = saved.view(),
                                     .relu = g.relu,
                                     .skip_gradient = g.has_later ? skip_gradient.view() : MatrixView<float>{},
                                     .skip_shape = g.later_shape,
                                     .sums = {.sums = sums.view(), .tiles = g.tiles()}}};
  change(b);
  conv.backward(backend, b);
  return {{gradient.to_host(), input_gradient.to_host()}, sums.to_host()};
}
template <class Backend>
Computed compute(const Backend& backend, const GradientCase& g) {
  return compute(backend, g, [](Conv2dBackward&) {});
}

/// All tiles' sums of a node and channel are those of the gradient: fp32 sums of 64 terms take ten roundings, what they
/// are sums of another two.
void expect_the_sums(const GradientCase& g, const Computed& computed) {
  constexpr double kRoundings = 16 * 0x1p-24;
  const int channels = g.conv.shape.channels, nodes = g.conv.shape.nodes;
  std::vector<double> sum(2 * nodes * channels), magnitude(2 * nodes * channels), found(2 * nodes * channels);
  for (int i = 0; i < static_cast<int>(g.input.size()); ++i) {
    const double gradient = computed.gradients.input[i], product = gradient * (double{g.input[i]} - g.mean(i));
    const int at = 2 * (g.node_of(i) * channels + i % channels);
    sum[at] += gradient, magnitude[at] += std::abs(gradient);
    sum[at + 1] += product, magnitude[at + 1] += std::abs(product);
  }
  for (int node = 0; node < nodes; ++node) {
    const double* of_node = computed.sums.data() + node * g.sums_a_node();
    for (int i = 0; i < g.sums_a_node() - 1; ++i)
      found[2 * (node * channels + i % channels) + i / channels % 2] += of_node[i];
    EXPECT_EQ(of_node[g.sums_a_node() - 1], 77) << "beyond the sums";
  }
  for (std::size_t i = 0; i < sum.size(); ++i)
    ASSERT_NEAR(found[i], sum[i], kRoundings * magnitude[i]) << i % 2 << " of channel " << i / 2 << " of all nodes";
}

template <class Backend>
void expect_what_the_normalization_wants(const Backend& backend, const GradientCase& g) {
  SCOPED_TRACE(testing::Message() << g);
  const Conv2dGradients plain = backward(backend, g.conv);
  const Computed computed = compute(backend, g);
  EXPECT_TRUE(same_values(computed.gradients.row, plain.row));
  EXPECT_TRUE(same_values(computed.gradients.input, g.masked(plain.input)));
  expect_the_sums(g, computed);
}

template <class Backend>
class NormGradientOn : public BackendTest<Backend> {
 protected:
  void SetUp() override {
    if (std::is_same_v<Backend, Cpu>) GTEST_SKIP() << "a Cpu leaves gradients as they are";
    BackendTest<Backend>::SetUp();
  }
};
TYPED_TEST_SUITE(NormGradientOn, Backends);

/// Shapes with and without ReLU, output and shortcut, in turn.
TYPED_TEST(NormGradientOn, IsMaskedAndSummedOfEveryShape) {
  int turn = 0;
  for (const Shape& shape : tf32_shapes()) {
    if (shape.channels < 16) {
      EXPECT_EQ(norm_gradient_tiles(case_of(shape).layer, shape.samples), 0);
      continue;
    }
    ++turn;
    expect_what_the_normalization_wants(
        tested_backend<TypeParam>(),
        GradientCase(shape, std::vector{Later::kNothing, Later::kIdentity, Later::kOptionA}[turn % 3], turn % 4 != 0,
                     turn % 2 == 0));
  }
}

TYPED_TEST(NormGradientOn, EveryCombinationIsTheDefinition) {
  for (const Shape& shape : {Shape{5, 7, 16, 16, 1, 2, 2}, Shape{5, 7, 32, 16, 2, 2, 2}})
    for (const Later later : {Later::kNothing, Later::kIdentity, Later::kOptionA})
      for (const bool relu : {false, true})
        for (const bool stored : {false, true})
          expect_what_the_normalization_wants(tested_backend<TypeParam>(), GradientCase(shape, later, relu, stored));
}

TYPED_TEST(NormGradientOn, HasTheSameBitsHoweverItIsComputed) {
  for (const Shape& shape : {Shape{8, 8, 32, 16, 1, 5, 2}, Shape{6, 10, 16, 32, 2, 3, 2}, Shape{3, 3, 16, 16, 1, 1, 30},
                             Shape{20, 20, 16, 16, 1, 1, 8}}) {
    const GradientCase g(shape, Later::kOptionA);
    SCOPED_TRACE(testing::Message() << g);
    const Computed wanted = compute(tested_backend<TypeParam>(), g);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const Computed computed = compute(backend, g);
      EXPECT_TRUE(same_values(computed.gradients.input, wanted.gradients.input));
      EXPECT_TRUE(same_values(computed.sums, wanted.sums));
    });
  }
}

TYPED_TEST(NormGradientOn, ANodesSumsDoNotDependOnTheOtherNodesOfACall) {
  for (const Shape& shape : {Shape{8, 8, 32, 16, 1, 5, 3}, Shape{6, 10, 16, 32, 2, 3, 3}}) {
    const GradientCase g(shape, Later::kIdentity);
    std::vector<double> apart;
    for (int node = 0; node < shape.nodes; ++node) {
      GradientCase one = g;
      one.conv = g.conv.of_node(node);
      for (auto* all : {&one.input, &one.skip_gradient, &one.saved, &one.terms}) {
        const auto size = static_cast<std::ptrdiff_t>(all->size()) / shape.nodes;
        *all = {all->begin() + node * size, all->begin() + (node + 1) * size};
      }
      const Computed of_one = compute(tested_backend<TypeParam>(), one);
      apart.insert(apart.end(), of_one.sums.begin(), of_one.sums.end());
    }
    EXPECT_TRUE(same_values(compute(tested_backend<TypeParam>(), g).sums, apart));
  }
}

/// NaN passes a ReLU that let it through, and stands in the sums of its channel; what is cut off is 0.
TYPED_TEST(NormGradientOn, HardValuesReachTheirChannel) {
  for (const Shape& shape : {Shape{5, 6, 16, 16, 1, 2, 2}, Shape{5, 6, 16, 16, 2, 2, 2}})
    for (const float bad : {kNan, std::numeric_limits<float>::infinity()}) {
      GradientCase g(shape, Later::kIdentity);
      g.conv.input[37] = kNan;
      g.skip_gradient[37] = g.skip_gradient[38] = bad;
      g.conv.input[38] = 0;
      const Computed computed = compute(tested_backend<TypeParam>(), g);
      EXPECT_TRUE(same_values(computed.gradients.input, g.masked(backward(tested_backend<TypeParam>(), g.conv).input)));
      EXPECT_FALSE(std::isfinite(computed.gradients.input[37]));
      EXPECT_EQ(computed.gradients.input[38], 0);
      for (int i = 0; i < g.sums_a_node() - 1; ++i) EXPECT_EQ(std::isfinite(computed.sums[i]), i % 16 != 37 % 16) << i;
    }
}

TYPED_TEST(NormGradientOn, IsRefusedIfItDoesNotFit) {
  const TypeParam backend = tested_backend<TypeParam>();
  const auto expect_refused = [&](const GradientCase& g, const auto& change) {
    EXPECT_THROW(compute(backend, g, change), std::invalid_argument) << g;
  };
  const auto as_it_is = [](Conv2dBackward&) {};
  const GradientCase g({5, 6, 16, 16, 1, 2, 2}, Later::kOptionA),
      unstored({5, 6, 16, 16}, Later::kNothing, true, false);
  expect_refused(g, [](Conv2dBackward& b) { b.norm_gradient.sums.sums.cols -= 2; });
  expect_refused(g, [](Conv2dBackward& b) { b.norm_gradient.sums.sums.rows = 1; });
  expect_refused(g, [](Conv2dBackward& b) { b.norm_gradient.sums.tiles += 1; });
  expect_refused(g, [](Conv2dBackward& b) { b.norm_gradient.input.rows -= 1; });
  expect_refused(g, [](Conv2dBackward& b) { ++b.norm_gradient.input.data; });
  expect_refused(g, [](Conv2dBackward& b) { ++b.norm_gradient.output.data; });
  expect_refused(g, [](Conv2dBackward& b) { ++b.norm_gradient.skip_gradient.data; });
  expect_refused(g, [](Conv2dBackward& b) { b.norm_gradient.skip_gradient.cols -= 1; });
  expect_refused(g, [](Conv2dBackward& b) { b.norm_gradient.skip_shape.width += 1; });
  expect_refused(g, [](Conv2dBackward& b) { b.norm_gradient.saved.cols = 15; });
  expect_refused(g, [](Conv2dBackward& b) { b.input_gradient = {}; });
  expect_refused(unstored, [](Conv2dBackward& b) { b.norm_gradient.terms.cols = 47; });
  GradientCase other({5, 6, 16, 16});
  other.conv.layer.weight = 9;  // on no 16 bytes
  expect_refused(other, as_it_is);
  other = GradientCase({5, 6, 16, 16});
  other.conv.layer.precision = Precision::kFp32;
  expect_refused(other, as_it_is);
}

}  // namespace
}  // namespace sparsepush
