// Convolutions by cuDNN, on a GPU that has it or with its stand-in on the simulated one.
#include "kernels/layers/conv2d/cudnn_convolution.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/backend/repeated_work.h"
#include "kernels/layers/conv2d/tensor_tiles.h"
#include "tests/backends.h"
#include "tests/kernels/layers/conv2d/conv2d_case.h"
#include "tests/kernels/layers/conv2d/conv2d_oracle.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

Conv2dCase by_cudnn(const Conv2dShape& shape) {
  Conv2dCase c(shape);
  c.layer.code = ConvolutionCode::kCudnn;
  return c;
}

template <class Backend>
class CudnnConvolutionOn : public BackendTest<Backend> {
 protected:
  void SetUp() override {
    BackendTest<Backend>::SetUp();
    if (!this->IsSkipped() && !cudnn_problem().empty()) GTEST_SKIP() << cudnn_problem();
  }
};
TYPED_TEST_SUITE(CudnnConvolutionOn, testing::Types<Cuda>);

/// Also of nodes whose images do not begin on 16 bytes, and without a bias.
TYPED_TEST(CudnnConvolutionOn, IsTheConvolutionAndItsGradientWithinTheBoundInFp32) {
  for (const Conv2dShape& shape : shapes()) {
    SCOPED_TRACE(testing::Message() << shape);
    const Conv2dCase c = by_cudnn(shape);
    expect_the_convolution(c, forward(tested_backend<TypeParam>(), c));
    expect_the_gradients(c, backward(tested_backend<TypeParam>(), c));
  }
}

}  // namespace
}  // namespace sparsepush
