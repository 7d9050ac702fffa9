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
