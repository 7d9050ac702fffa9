// What tests/kernels/layers/conv2d/conv2d_test.cpp does not see: there these layers are compared with the definition.
#include "kernels/layers/few_channels/channel_convolution.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/small_integers.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

TEST(ChannelConvolution, SuitsWholeTilesOfFewChannelsToWholeVectors) {
  const auto suits = [](const Conv2dLayer& layer) { return ChannelConvolution::suits(layer); };
  const Conv2dLayer lenet{.in = {14, 14, 6}, .out = 16, .kernel = 5, .padding = 0};
  EXPECT_TRUE(suits(lenet));
  EXPECT_TRUE(suits({.in = {10, 20, 1}, .out = 48, .kernel = 5, .padding = 2}));
  for (const auto& change : std::vector<void (*)(Conv2dLayer&)>{
           [](Conv2dLayer& l) { l.in.height = 15; }, [](Conv2dLayer& l) { l.in.width = 13; },
           [](Conv2dLayer& l) { l.in.channels = 9; }, [](Conv2dLayer& l) { l.out = 24; },
           [](Conv2dLayer& l) { l.in.height = l.in.width = 12, l.kernel = 3; },
           [](Conv2dLayer& l) { l.in.height = l.in.width = 24, l.stride = 2; }}) {
    Conv2dLayer other = lenet;
    change(other);
    EXPECT_FALSE(suits(other));
  }
}

/// Without padding.
TEST(ChannelConvolution, IsTheConvolutionAtEveryVectorLevel) {
  constexpr int kChannels = 6, kOut = 16, kSide = 14;
  const Conv2dLayer layer{.in = {kSide, kSide, kChannels}, .out = kOut, .kernel = 5, .padding = 0};
  const std::vector<float> x = small_integers(kOut * kChannels * 25), input = small_integers(layer.in.size()),
                           output_gradient = small_integers(layer.out_shape().size());
  std::vector<float> expected(output_gradient.size()), expected_back(input.size());
  for (int p = 0; p < 100; ++p)
    for (int o = 0; o < kOut; ++o)
      for (int w = 0; w < kChannels * 25; ++w) {
        const int pixel = (p / 10 + w % 25 / 5) * kSide + p % 10 + w % 5;
        expected[p * kOut + o] += input[pixel * kChannels + w / 25] * x[o * kChannels * 25 + w];
        expected_back[pixel * kChannels + w / 25] += output_gradient[p * kOut + o] * x[o * kChannels * 25 + w];
      }
  for (const VectorLevel level : tested_vector_levels()) {
    SCOPED_TRACE(testing::Message() << name_of(level));
    std::vector<float> output(expected.size()), back(expected_back.size());
    ChannelConvolution convolution(layer);
    convolution.forward(x.data(), 1, input.data(), 1, output.data(), level);
    convolution.backward_input(x.data(), 1, output_gradient.data(), 1, back.data(), level);
    EXPECT_EQ(output, expected);
    EXPECT_EQ(back, expected_back);
  }
}

/// Vectors hold neighbours of the inputs that an output met, too.
TEST(ChannelConvolution, AnInfiniteGradientReachesOnlyTheInputsThatItMet) {
  constexpr int kChannels = 6, kOut = 16;
  const Conv2dLayer layer{.in = {14, 14, kChannels}, .out = kOut, .kernel = 5, .padding = 0};
  const std::vector<float> x(kOut * kChannels * 25, 1.0f);
  for (int at = 0; at < 100; ++at) {
    std::vector<float> output_gradient(100 * kOut), input_gradient(layer.in.size());
    output_gradient[at * kOut + at % kOut] = std::numeric_limits<float>::infinity();
    ChannelConvolution(layer).backward_input(x.data(), 1, output_gradient.data(), 1, input_gradient.data(),
                                             tested_vector_level());
    for (int i = 0; i < layer.in.size(); ++i) {
      const int y = i / kChannels / 14 - at / 10, x = i / kChannels % 14 - at % 10;
      EXPECT_EQ(std::isfinite(input_gradient[i]), y < 0 || y >= 5 || x < 0 || x >= 5) << at << " to " << i;
    }
  }
}

/// Nothing of the first may be left in the memory that both are worked on in.
TEST(ChannelConvolution, SamplesDoNotDependOnEachOther) {
  const Conv2dLayer layer{.in = {10, 10, 3}, .out = 16, .kernel = 5, .padding = 2};
  const int in = layer.in.size(), out = layer.out_shape().size();
  std::vector<float> x(16 * 75), input(2 * in), output(2 * out), output_alone(out), back(2 * in), back_alone(in);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  for (int i = 0; i < 2 * in; ++i) input[i] = i < in ? 1e3f : std::cos(static_cast<float>(i));
  ChannelConvolution(layer).forward(x.data(), 0.5f, input.data(), 2, output.data(), tested_vector_level());
  ChannelConvolution(layer).forward(x.data(), 0.5f, input.data() + in, 1, output_alone.data(), tested_vector_level());
  EXPECT_EQ(std::vector<float>(output.begin() + out, output.end()), output_alone);
  ChannelConvolution(layer).backward_input(x.data(), 0.5f, output.data(), 2, back.data(), tested_vector_level());
  ChannelConvolution(layer).backward_input(x.data(), 0.5f, output.data() + out, 1, back_alone.data(),
                                           tested_vector_level());
  EXPECT_EQ(std::vector<float>(back.begin() + in, back.end()), back_alone);
}

}  // namespace
}  // namespace sparsepush
