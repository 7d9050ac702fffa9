// What tests/kernels/layers/conv2d/conv2d_test.cpp does not see: there these layers are compared with the definition.
#include "kernels/layers/few_channels/plane_convolution.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/small_integers.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

TEST(PlaneConvolution, SuitsFewChannelsOut) {
  const auto suits = [](int out, int stride) {
    return PlaneConvolution::suits({.in = {8, 8, 16}, .out = out, .stride = stride});
  };
  EXPECT_TRUE(suits(1, 1) && suits(6, 1));
  EXPECT_FALSE(suits(7, 1) || suits(6, 2));
}

/// Images as wide as a vector and wider.
TEST(PlaneConvolution, IsTheConvolutionOnWideImages) {
  for (const int channels : {1, 3, 4, 6})
    for (const int out : {3, 6})
      for (const int width : {16, 20, 33}) {
        SCOPED_TRACE(testing::Message() << width << " x 18 x " << channels << " to " << out);
        const Conv2dLayer layer{.in = {18, width, channels}, .out = out, .kernel = 3, .padding = 1};
        const std::vector<float> x = small_integers(out * channels * 9), input = small_integers(layer.in.size());
        std::vector<float> expected(layer.out_shape().size());
        for (int y = 0; y < 18 * width; ++y)
          for (int o = 0; o < out; ++o)
            for (int w = 0; w < channels * 9; ++w) {
              const int in_y = y / width + w % 9 / 3 - 1, in_x = y % width + w % 3 - 1;
              if (in_y < 0 || in_y >= 18 || in_x < 0 || in_x >= width) continue;
              expected[y * out + o] += input[(in_y * width + in_x) * channels + w / 9] * x[o * channels * 9 + w];
            }
        for (const VectorLevel level : tested_vector_levels()) {
          std::vector<float> output(expected.size());
          PlaneConvolution(layer).forward(x.data(), 1, input.data(), 1, output.data(), level);
          EXPECT_EQ(output, expected) << name_of(level);
        }
      }
}

#if defined(__x86_64__) && defined(NDEBUG)  // not at -O1: there GCC leaves vectors uncontracted that it has to split
/// Our loops are contracted where there is fma: this shows that the vector level reaches them.
TEST(PlaneConvolution, RoundsProductsWhereTheVectorLevelHasNoFma) {
  constexpr float kFactor = 1 + 0x1p-12f;  // its square is 1 + 0x1p-11 + 0x1p-24, of which rounding takes the last term
  const Conv2dLayer layer{.in = {1, 1, 1}, .out = 1, .kernel = 1, .padding = 0, .bias = 1};
  const std::vector<float> x = {kFactor, -(1 + 0x1p-11f)};
  for (const VectorLevel level : tested_vector_levels()) {
    float output = -1;
    PlaneConvolution(layer).forward(x.data(), 1, &kFactor, 1, &output, level);
    EXPECT_EQ(output, level == VectorLevel::kBaseline ? 0 : 0x1p-24f) << name_of(level);
  }
}
#endif

/// Nothing of the first may be left in the memory that both are worked on in.
TEST(PlaneConvolution, SamplesDoNotDependOnEachOther) {
  const Conv2dLayer layer{.in = {5, 6, 3}, .out = 6, .kernel = 5, .padding = 2};
  const int in = layer.in.size(), out = layer.out_shape().size();
  std::vector<float> x(6 * 75), input(2 * in), output(2 * out), alone(out);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  for (int i = 0; i < 2 * in; ++i) input[i] = i < in ? 1e3f : std::cos(static_cast<float>(i));
  PlaneConvolution(layer).forward(x.data(), 0.5f, input.data(), 2, output.data(), tested_vector_level());
  PlaneConvolution(layer).forward(x.data(), 0.5f, input.data() + in, 1, alone.data(), tested_vector_level());
  EXPECT_EQ(std::vector<float>(output.begin() + out, output.end()), alone);
}

}  // namespace
}  // namespace sparsepush
