// What NaN, infinity and denormal numbers reach in a convolution.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/backends.h"
#include "tests/kernels/layers/conv2d/conv2d_case.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

template <class Backend>
class Conv2dHardValuesOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(Conv2dHardValuesOn, Backends);

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

/// Gradients of weights that meet the output gradient `at` on the padding may be NaN: these are taken from `clean`.
void allow_nan_from_padding(const Conv2dCase& c, int at, const std::vector<float>& clean, std::vector<float>& row) {
  const int out = c.shape.out, node = at / (c.rows() / c.shape.nodes * c.layer.out_shape().size());
  const std::int64_t a_channel = c.weights() / out, first = node * c.row + c.layer.weight + at % out * a_channel;
  std::vector<bool> on_image(row.size());
  for (int sample = 0; sample < c.rows(); ++sample)
    for_each_tap(c, sample, [&](int output, int, std::int64_t weight) {
      if (output == at) on_image[node * c.row + weight] = true;
    });
  for (std::int64_t i = first; i < first + a_channel; ++i)
    if (!on_image[i] && std::isnan(row[i])) row[i] = clean[i];
}

/// In the last of the channels, beside what vectors fill up with zeros.
void expect_hard_values_reach_only_what_depends_on_them(const auto& backend, const Conv2dShape& shape) {
  SCOPED_TRACE(testing::Message() << shape);
  const Conv2dCase clean(shape);
  const std::vector<float> output = forward(backend, clean);
  const Conv2dGradients gradients = backward(backend, clean);
  const int inputs = static_cast<int>(clean.input.size()), outputs = static_cast<int>(output.size());
  const int channels = shape.channels, out = shape.out;
  const std::int64_t centre =
      clean.layer.weight + clean.weights() - 1 - shape.kernel * shape.kernel / 2;  // on the image
  for (const float bad : {kNan, std::numeric_limits<float>::infinity()}) {
    for (const int at : {channels - 1, inputs / 2 - 1, inputs - 1}) {
      SCOPED_TRACE(testing::Message() << bad << " in input " << at);
      Conv2dCase c = clean;
      c.input[at] = bad;
      std::vector<bool> output_reached(outputs), row_reached(c.x.size());
      for (int sample = 0; sample < c.rows(); ++sample)
        for_each_tap(c, sample, [&](int out, int in, std::int64_t weight) {
          if (in == at) output_reached[out] = row_reached[sample / 2 * c.row + weight] = true;
        });
      expect_only(forward(backend, c), output, output_reached);
      expect_only(backward(backend, c).row, gradients.row, row_reached);
    }
    for (const int at : {out - 1, outputs / 2 - 1, outputs - 1}) {
      SCOPED_TRACE(testing::Message() << bad << " in output gradient " << at);
      Conv2dCase c = clean;
      c.output_gradient[at] = bad;
      std::vector<bool> input_reached(inputs), row_reached(c.x.size());
      for (int sample = 0; sample < c.rows(); ++sample)
        for_each_tap(c, sample, [&](int out, int in, std::int64_t weight) {
          if (out == at) input_reached[in] = row_reached[sample / 2 * c.row + weight] = true;
        });
      row_reached[at / (outputs / 2) * c.row + c.layer.bias + out - 1] = true;
      Conv2dGradients computed = backward(backend, c);
      allow_nan_from_padding(c, at, gradients.row, computed.row);
      expect_only(computed.input, gradients.input, input_reached);
      expect_only(computed.row, gradients.row, row_reached);
    }
    Conv2dCase c = clean;
    c.x[c.row + centre] = bad;
    c.x[c.row + c.layer.bias] = bad;
    std::vector<bool> output_reached(outputs), input_reached(inputs);
    for (int i = outputs / 2; i < outputs; ++i) output_reached[i] = i % out == out - 1 || i % out == 0;
    for (int i = inputs / 2; i < inputs; ++i) input_reached[i] = i % channels == channels - 1;
    expect_only(forward(backend, c), output, output_reached);
    expect_only(backward(backend, c).input, gradients.input, input_reached);
  }
}

/// By oneDNN, as planes, and as a vector of channels.
TYPED_TEST(Conv2dHardValuesOn, HardValuesReachOnlyWhatDependsOnThem) {
  for (const Conv2dShape& shape : {Conv2dShape{5, 6, 17, 33, 3, 1, 1, 2, 2}, Conv2dShape{7, 6, 3, 6, 5, 1, 2, 2, 2},
                                   Conv2dShape{5, 6, 17, 4, 3, 1, 1, 2, 2}, Conv2dShape{10, 10, 6, 16, 5, 1, 2, 2, 2}})
    expect_hard_values_reach_only_what_depends_on_them(tested_backend<TypeParam>(), shape);
}

/// With a stride, a weight meets some of the inputs only. It may make NaN of those that it would meet if there were
/// more outputs.
TYPED_TEST(Conv2dHardValuesOn, HardWeightsReachOnlyTheInputsThatTheyMeet) {
  const TypeParam backend = tested_backend<TypeParam>();
  const Conv2dCase clean({7, 8, 17, 6, 3, 2, 0, 2, 2});
  const Conv2dGradients gradients = backward(backend, clean);
  for (const int bad : {0, 5, clean.weights() - 1}) {
    SCOPED_TRACE(testing::Message() << "weight " << bad);
    Conv2dCase c = clean;
    c.x[c.row + c.layer.weight + bad] = kNan;
    std::vector<bool> reached(c.input.size());
    for (const int sample : {2, 3})
      for_each_tap(c, sample, [&](int, int in, std::int64_t weight) {
        if (weight == c.layer.weight + bad) reached[in] = true;
      });
    std::vector<float> computed = backward(backend, c).input;
    const int tap_y = bad % 9 / 3, tap_x = bad % 3, channel = bad / 9 % 17;
    for (std::size_t i = computed.size() / 2; i < computed.size(); ++i) {
      const int y = static_cast<int>(i) / (8 * 17) % 7, x = static_cast<int>(i) / 17 % 8;
      const bool would_meet = y % 2 == tap_y % 2 && x % 2 == tap_x % 2 && static_cast<int>(i) % 17 == channel;
      if (would_meet && !reached[i] && std::isnan(computed[i])) computed[i] = gradients.input[i];
    }
    expect_only(computed, gradients.input, reached);
  }
}

TYPED_TEST(Conv2dHardValuesOn, DenormalsAreNotFlushed) {
  Conv2dCase c({1, 1, 1, 1, 1, 1, 0, 1});
  c.u = {1};
  c.x[c.layer.weight] = 1;
  c.x[c.layer.bias] = 0;
  c.input = {1e-40f};
  c.output_gradient = {-1e-45f};
  EXPECT_EQ(forward(tested_backend<TypeParam>(), c), std::vector<float>{1e-40f});
  const Conv2dGradients gradients = backward(tested_backend<TypeParam>(), c);
  EXPECT_EQ(gradients.input, std::vector<float>{-1e-45f});
  EXPECT_EQ(gradients.row[c.layer.bias], -1e-45f);
}

}  // namespace
}  // namespace sparsepush
