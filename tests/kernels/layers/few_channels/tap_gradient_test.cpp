// What tests/kernels/layers/conv2d/conv2d_test.cpp does not see: there these layers are compared with the definition.
#include "kernels/layers/few_channels/tap_gradient.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "tests/small_integers.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Every tile: outputs that are eights, a six and ones, and rows of the kernel of one to five vectors.
void expect_the_gradient(int channels, int out, int kernel) {
  SCOPED_TRACE(testing::Message() << channels << " to " << out << ", kernel " << kernel);
  constexpr int kHeight = 7, kWidth = 9, kSamples = 3;
  const int taps = kernel * kernel, middle = kernel / 2;
  const std::int64_t weights = std::int64_t{out} * channels * taps;
  const Conv2dLayer layer{
      .in = {kHeight, kWidth, channels}, .out = out, .kernel = kernel, .padding = middle, .bias = weights};
  const std::vector<float> input = small_integers(kSamples * layer.in.size()),
                           output_gradient = small_integers(kSamples * layer.out_shape().size());
  std::vector<float> expected(weights + out);
  for (int p = 0; p < kSamples * kHeight * kWidth; ++p)
    for (int o = 0; o < out; ++o) {
      const float g = output_gradient[p * out + o];
      expected[weights + o] += g;
      for (int w = 0; w < channels * taps; ++w) {
        const int down = w % taps / kernel - middle, right = w % kernel - middle;
        const int y = p / kWidth % kHeight + down, x = p % kWidth + right;
        if (y < 0 || y >= kHeight || x < 0 || x >= kWidth) continue;
        expected[o * channels * taps + w] += g * input[(p + down * kWidth + right) * channels + w / taps];
      }
    }
  for (const VectorLevel level : tested_vector_levels()) {
    std::vector<float> row(expected.size());
    TapGradient(layer).take(input.data(), output_gradient.data(), kSamples, row.data(), level);
    EXPECT_EQ(row, expected) << name_of(level);
  }
}

TEST(TapGradient, IsTheGradientForAnyNumberOfChannels) {
  for (const int kernel : {1, 3, 5})
    for (const int channels : {1, 3, 5, 6, 11, 16})
      for (const int out : {1, 3, 6, 8, 15, 23}) expect_the_gradient(channels, out, kernel);
}

/// Vectors read inputs beside the row of the kernel, too.
TEST(TapGradient, AnInfiniteInputReachesOnlyTheWeightsThatMeetIt) {
  constexpr int kSide = 7, kKernel = 3, kOut = kSide - kKernel + 1;
  const Conv2dLayer layer{.in = {kSide, kSide, 1}, .out = 2, .kernel = kKernel, .padding = 0, .bias = 18};
  for (int at = 0; at < kSide * kSide; ++at) {
    std::vector<float> input(kSide * kSide, 1.0f), row(20);
    input[at] = kInfinity;
    TapGradient(layer).take(input.data(), std::vector<float>(2 * kOut * kOut, 1.0f).data(), 1, row.data(),
                            tested_vector_level());
    for (int w = 0; w < 18; ++w) {
      const int y = at / kSide - w % 9 / kKernel, x = at % kSide - w % kKernel;
      const bool meets = y >= 0 && y < kOut && x >= 0 && x < kOut;
      EXPECT_EQ(row[w], meets ? kInfinity : kOut * kOut) << "input " << at << ", weight " << w;
    }
    EXPECT_EQ(row[18], kOut * kOut);
  }
}

/// Nothing may be left in the memory that both calls are worked on in.
TEST(TapGradient, CallsDoNotDependOnEachOther) {
  const Conv2dLayer layer{.in = {5, 6, 3}, .out = 6, .kernel = 5, .padding = 2, .bias = 450};
  const std::vector<float> input = small_integers(4 * layer.in.size()), output_gradient = small_integers(4 * 5 * 6 * 6);
  TapGradient taps(layer);
  std::vector<float> row(456), alone(456);
  taps.take(input.data(), output_gradient.data(), 4, row.data(), tested_vector_level());
  taps.take(input.data() + 1, output_gradient.data() + 1, 1, row.data(), tested_vector_level());
  TapGradient(layer).take(input.data() + 1, output_gradient.data() + 1, 1, alone.data(), tested_vector_level());
  EXPECT_EQ(row, alone);
}

}  // namespace
}  // namespace sparsepush
