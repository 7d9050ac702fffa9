// Steps of networks whose convolutions cuDNN computes, beside the same with our own kernels.
#include <gtest/gtest.h>

#include "kernels/layers/conv2d/cudnn_convolution.h"
#include "models/lenet5.h"
#include "models/network_gradients.h"
#include "models/resnet20.h"
#include "tests/backends.h"
#include "tests/models/residual_step.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

Network by_cudnn(Network network) {
  set_convolution_code(network, ConvolutionCode::kCudnn);
  return network;
}

template <class Backend>
class CudnnNetworkOn : public BackendTest<Backend> {
 protected:
  void SetUp() override {
    BackendTest<Backend>::SetUp();
    if (!this->IsSkipped() && !cudnn_problem().empty()) GTEST_SKIP() << cudnn_problem();
  }
};
TYPED_TEST_SUITE(CudnnNetworkOn, testing::Types<Cuda>);

/// In fp32 sums differ in their last bits alone, which signs before a ReLU amplify.
TYPED_TEST(CudnnNetworkOn, AStepIsNearThatOfOurOwnKernels) {
  for (const bool relu : {false, true}) {
    const Network network = residual_network(Precision::kFp32, relu);
    const StepOutcome own = step_of(tested_backend<TypeParam>(), network);
    const StepOutcome other = step_of(tested_backend<TypeParam>(), by_cudnn(network));
    for (int node = 0; node < kNodes; ++node) EXPECT_NEAR(other.loss[node], own.loss[node], 1e-5 * own.loss[node]);
    EXPECT_LE(distance(other.statistics, own.statistics), 1e-5);
    EXPECT_LE(distance(other.gradient, own.gradient), relu ? 1e-2 : 1e-5);
    EXPECT_FALSE(same_values(other.gradient, own.gradient)) << "nothing else computed it";
  }
}

/// 5 x 5, with biases, whatever precision is set: only 3 x 3 kernels take TF32.
TYPED_TEST(CudnnNetworkOn, AStepOfLeNet5IsNearThatOfOurOwnKernels) {
  Network network = make_lenet5({28, 28, 1}, 5, Norm::kNone);
  set_precision(network, Precision::kTf32);
  const StepOutcome own = step_of(tested_backend<TypeParam>(), network);
  const StepOutcome other = step_of(tested_backend<TypeParam>(), by_cudnn(network));
  for (int node = 0; node < kNodes; ++node) EXPECT_NEAR(other.loss[node], own.loss[node], 1e-5 * own.loss[node]);
  EXPECT_LE(distance(other.gradient, own.gradient), 1e-4);
  EXPECT_FALSE(same_values(other.gradient, own.gradient)) << "nothing else computed it";
}

TYPED_TEST(CudnnNetworkOn, AStepInTf32IsNearThatInFp32) {
  const StepOutcome exact = step_of(tested_backend<TypeParam>(), by_cudnn(residual_network(Precision::kFp32, false)));
  const StepOutcome rounded = step_of(tested_backend<TypeParam>(), by_cudnn(residual_network(Precision::kTf32, false)));
  for (int node = 0; node < kNodes; ++node) EXPECT_NEAR(rounded.loss[node], exact.loss[node], 5e-3 * exact.loss[node]);
  EXPECT_LE(distance(rounded.gradient, exact.gradient), 5e-3);
}

TYPED_TEST(CudnnNetworkOn, ANodesStepHasTheSameBitsInAnyShard) {
  const Network network = by_cudnn(residual_network(Precision::kTf32, true));
  const StepOutcome together = step_of(tested_backend<TypeParam>(), network);
  StepOutcome apart;
  for (int node = 0; node < kNodes; ++node) {
    const StepOutcome alone = step_of(tested_backend<TypeParam>(), network, {node, 1});
    apart.loss.insert(apart.loss.end(), alone.loss.begin(), alone.loss.end());
    apart.gradient.insert(apart.gradient.end(), alone.gradient.begin(), alone.gradient.end());
  }
  EXPECT_TRUE(same_values(apart.loss, together.loss));
  EXPECT_TRUE(same_values(apart.gradient, together.gradient));
}

TEST(CudnnNetwork, FusesNoCalls) {
  Network network = make_resnet20({32, 32, 3}, 10, Norm::kBatch);
  set_precision(network, Precision::kTf32);
  for (const CallFusion& call : fuse_calls(by_cudnn(network), 32))
    EXPECT_FALSE(call.leaves_moments || call.leaves_terms || call.sums_gradient);
}

/// What cuDNN works in is there once, whatever number of nodes a wave has, and does not make waves smaller.
TEST(CudnnNetwork, PlansWhatCudnnWorksInOnce) {
  const Network own = make_lenet5({32, 32, 3}, 10, Norm::kBatch), other = by_cudnn(own);
  const auto bytes = [](const Network& network, int nodes) {
    return NetworkGradients<Cuda>::wave_bytes(network, 16, nodes);
  };
  EXPECT_EQ(bytes(own, 64), 64 * bytes(own, 1));
  const std::int64_t each = bytes(other, 2) - bytes(other, 1), once = bytes(other, 1) - each;
  EXPECT_EQ(bytes(other, 64), once + 64 * each);
  EXPECT_GT(once, std::int64_t{32} << 20);
  EXPECT_LT(once, 2 * (std::int64_t{32} << 20)) << "the two layers share it";
  EXPECT_LT(each, bytes(own, 1) + (std::int64_t{1} << 20)) << "weights in another order";
}

}  // namespace
}  // namespace sparsepush
