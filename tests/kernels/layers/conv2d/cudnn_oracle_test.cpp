// Our own kernels beside cuDNN at the sizes of networks, where a GPU has it; smaller on the simulated one.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/layers/conv2d/cudnn_convolution.h"
#include "tests/backends.h"
#include "tests/kernels/layers/conv2d/conv2d_oracle.h"
#include "tests/kernels/layers/conv2d/tf32_case.h"

namespace sparsepush {
namespace {

struct Results {
  std::vector<float> output;
  Conv2dGradients gradients;
};
template <class Backend>
Results results_of(const Backend& backend, Conv2dCase c, ConvolutionCode code, Precision precision) {
  c.layer.code = code;
  c.layer.precision = precision;
  Conv2d<Backend> conv(backend, c.layer, c.shape.nodes, c.shape.samples);
  std::vector<float> output = forward(backend, conv, c);
  return {std::move(output), backward(backend, conv, c)};
}

/// The same case without signs: results are what the magnitudes of terms add up to.
Conv2dCase magnitudes_of(Conv2dCase c) {
  for (std::vector<float>* values : {&c.x, &c.input, &c.output_gradient})
    for (float& value : *values) value = std::abs(value);
  return c;
}

/// `bound` is that of one of both; of cuDNN's sums it is that of fp32. Where the magnitude is kUntouched, so have to be
/// both: these are no parameters of the layer.
void expect_near(const std::vector<float>& own, const std::vector<float>& other, const std::vector<float>& magnitude,
                 int terms, const SumBound& bound) {
  ASSERT_EQ(own.size(), other.size());
  const double allowed = bound.fixed + (terms + 3) * (bound.each + SumBound{}.each);
  for (std::size_t i = 0; i < own.size(); ++i)
    ASSERT_NEAR(own[i], other[i], magnitude[i] == kUntouched ? 0 : 1.001 * allowed * magnitude[i]) << i;
}

template <class Backend>
class CudnnOracleOn : public BackendTest<Backend> {
 protected:
  void SetUp() override {
    BackendTest<Backend>::SetUp();
    if (!this->IsSkipped() && !cudnn_problem().empty()) GTEST_SKIP() << cudnn_problem();
  }
};
TYPED_TEST_SUITE(CudnnOracleOn, testing::Types<Cuda>);

template <class Backend>
void expect_both_agree(const Backend& backend, const Conv2dCase& c) {
  const Results other = results_of(backend, c, ConvolutionCode::kCudnn, Precision::kFp32);
  const Results magnitudes = results_of(backend, magnitudes_of(c), ConvolutionCode::kCudnn, Precision::kFp32);
  for (const Precision precision : {Precision::kFp32, Precision::kTf32}) {
    const Results own = results_of(backend, c, ConvolutionCode::kOwn, precision);
    const SumBound bound = precision == Precision::kFp32 ? SumBound{} : SumBound{.fixed = 0x1p-10, .each = 0x1p-22};
    expect_near(own.output, other.output, magnitudes.output, 9 * c.shape.channels + 1, bound);
    expect_near(own.gradients.row, other.gradients.row, magnitudes.gradients.row,
                c.shape.samples * c.layer.out_shape().pixels(), bound);
    expect_near(own.gradients.input, other.gradients.input, magnitudes.gradients.input, 9 * c.shape.out, bound);
  }
}

/// ResNet-20's and VGG-11's; where cuDNN refuses one, the others are compared all the same.
TYPED_TEST(CudnnOracleOn, OurOwnKernelsAreWithinBothBoundsOfIt) {
  const TypeParam backend = tested_backend<TypeParam>();
  for (Tf32Shape shape :
       {Tf32Shape{32, 32, 3, 16}, Tf32Shape{32, 32, 16, 16}, Tf32Shape{32, 32, 16, 32, 2}, Tf32Shape{8, 8, 64, 64},
        Tf32Shape{16, 16, 64, 128, 1, 1, 1, true}, Tf32Shape{4, 4, 256, 512}, Tf32Shape{2, 2, 512, 512}}) {
    if (kSimulatedCuda && shape.out > 64) continue;
    shape.samples = kSimulatedCuda ? 1 : 32;
    shape.nodes = kSimulatedCuda ? 1 : 4;
    const Conv2dCase c = case_of(shape);
    SCOPED_TRACE(testing::Message() << c.shape);
    EXPECT_NO_THROW(expect_both_agree(backend, c));
  }
}

}  // namespace
}  // namespace sparsepush
