// What tests/conv2d_test.cpp does not see: there these layers are compared with the definition.
#include "kernels/plane_convolution.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace sparsepush {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(PlaneConvolution, SuitsFewChannelsOut) {
  const auto suits = [](int out, int stride) {
    return PlaneConvolution::suits({.in = {8, 8, 16}, .out = out, .stride = stride});
  };
  EXPECT_TRUE(suits(1, 1) && suits(6, 1));
  EXPECT_FALSE(suits(7, 1) || suits(6, 2));
}

/// Images as wide as a vector and wider, of small integers, whose sums are exact in any order.
TEST(PlaneConvolution, IsTheConvolutionAndItsGradientOnWideImages) {
  for (const int channels : {1, 3, 4, 6})
    for (const int out : {3, 6})
      for (const int width : {16, 20, 33}) {
        SCOPED_TRACE(testing::Message() << width << " x 18 x " << channels << " to " << out);
        const Conv2dLayer layer{.in = {18, width, channels}, .out = out, .kernel = 3, .padding = 1};
        const auto integers = [](std::int64_t count) {
          std::vector<float> values(count);
          for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<float>(i * i % 11 % 5) - 2;
          return values;
        };
        const std::vector<float> x = integers(out * channels * 9), input = integers(layer.in.size()),
                                 output_gradient = integers(layer.out_shape().size());
        std::vector<float> expected(output_gradient.size()), expected_row(x.size());
        for (int y = 0; y < 18 * width; ++y)
          for (int o = 0; o < out; ++o)
            for (int w = 0; w < channels * 9; ++w) {
              const int in_y = y / width + w % 9 / 3 - 1, in_x = y % width + w % 3 - 1;
              if (in_y < 0 || in_y >= 18 || in_x < 0 || in_x >= width) continue;
              const float in = input[(in_y * width + in_x) * channels + w / 9];
              expected[y * out + o] += in * x[o * channels * 9 + w];
              expected_row[o * channels * 9 + w] += in * output_gradient[y * out + o];
            }
        PlaneConvolution convolution(layer);
        std::vector<float> output(expected.size()), row(x.size());
        convolution.forward(x.data(), 1, input.data(), 1, output.data());
        convolution.backward_parameters(input.data(), output_gradient.data(), 1, row.data());
        EXPECT_EQ(output, expected);
        EXPECT_EQ(row, expected_row);
      }
}

/// Between the rows of outputs lie positions whose sums would read it too.
TEST(PlaneConvolution, AnInfiniteInputReachesOnlyTheWeightsThatMeetIt) {
  constexpr int kSide = 7, kKernel = 3, kOut = kSide - kKernel + 1;
  const Conv2dLayer layer{.in = {kSide, kSide, 1}, .out = 2, .kernel = kKernel, .padding = 0, .bias = 18};
  for (int at = 0; at < kSide * kSide; ++at) {
    PlaneConvolution convolution(layer);
    std::vector<float> input(kSide * kSide, 1.0f), row(20);
    input[at] = kInfinity;
    convolution.backward_parameters(input.data(), std::vector<float>(2 * kOut * kOut, 1.0f).data(), 1, row.data());
    for (int w = 0; w < 18; ++w) {
      const int y = at / kSide - w % 9 / kKernel, x = at % kSide - w % kKernel;
      const bool meets = y >= 0 && y < kOut && x >= 0 && x < kOut;
      EXPECT_EQ(row[w], meets ? kInfinity : kOut * kOut) << "input " << at << ", weight " << w;
    }
    EXPECT_EQ(row[18], kOut * kOut);
  }
}

/// Nothing of the first may be left in the memory that both are worked on in.
TEST(PlaneConvolution, SamplesDoNotDependOnEachOther) {
  const Conv2dLayer layer{.in = {5, 6, 3}, .out = 6, .kernel = 5, .padding = 2};
  const int in = layer.in.size(), out = layer.out_shape().size();
  std::vector<float> x(6 * 75), input(2 * in), output(2 * out), alone(out);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  for (int i = 0; i < 2 * in; ++i) input[i] = i < in ? 1e3f : std::cos(static_cast<float>(i));
  PlaneConvolution(layer).forward(x.data(), 0.5f, input.data(), 2, output.data());
  PlaneConvolution(layer).forward(x.data(), 0.5f, input.data() + in, 1, alone.data());
  EXPECT_EQ(std::vector<float>(output.begin() + out, output.end()), alone);
}

}  // namespace
}  // namespace sparsepush
