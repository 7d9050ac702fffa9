#include "models/fusion.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "models/lenet5.h"
#include "models/resnet20.h"
#include "models/vgg11.h"
#include "tests/backends.h"
#include "tests/models/residual_step.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

Network in(Precision precision, Network network) {
  set_precision(network, precision);
  return network;
}

int convolutions_that_leave_moments(const Network& network) {
  const auto fusion = fuse_calls(network);
  return static_cast<int>(std::ranges::count_if(fusion, &CallFusion::leaves_moments));
}

TEST(Fusion, ConvolutionsOnTensorCoresLeaveMomentsForBatchNorms) {
  const ImageShape image{32, 32, 3};
  EXPECT_EQ(convolutions_that_leave_moments(in(Precision::kTf32, make_resnet20(image, 10, Norm::kBatch))), 19);
  EXPECT_EQ(convolutions_that_leave_moments(in(Precision::kTf32, make_vgg11(image, 10, Norm::kBatch))), 8);
  EXPECT_EQ(convolutions_that_leave_moments(in(Precision::kTf32, make_lenet5(image, 10, Norm::kBatch))), 0);
  EXPECT_EQ(convolutions_that_leave_moments(in(Precision::kFp32, make_resnet20(image, 10, Norm::kBatch))), 0);
  for (const Norm norm : {Norm::kNone, Norm::kGroup, Norm::kEvoNorm})
    EXPECT_EQ(convolutions_that_leave_moments(in(Precision::kTf32, make_resnet20(image, 10, norm))), 0);
}

TEST(Fusion, OnACpuNothingIsFused) {
  const Network network = in(Precision::kTf32, make_resnet20({32, 32, 3}, 10, Norm::kBatch));
  for (const CallFusion& call : fuse_calls_on<Cpu>(network)) EXPECT_FALSE(call.leaves_moments);
}

/// Fewer samples never have more tiles, so that the room for the most serves them all.
TEST(Fusion, RoomForMomentsGrowsWithTheSamples) {
  const Network network = in(Precision::kTf32, make_resnet20({28, 28, 1}, 10, Norm::kBatch));
  const auto fusion = fuse_calls(network);
  for (int samples = 1; samples < 70; ++samples)
    EXPECT_LE(moment_doubles(network, fusion, samples), moment_doubles(network, fusion, samples + 1)) << samples;
}

template <class Backend>
class FusionOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(FusionOn, Backends);

/// How far a fused step's gradients may be from those of separate calls, by norm: both have variances within 1e-5, and
/// what differs in the last bits may be rounded to another TF32, or cut off by a ReLU.
constexpr double kTolerance = 1e-3;

TYPED_TEST(FusionOn, AStepIsThatOfSeparateCalls) {
  const TypeParam backend = tested_backend<TypeParam>();
  for (const bool relu : {false, true}) {
    const Network network = residual_network(Precision::kTf32, relu);
    const StepOutcome fused = step_of(backend, network);
    const StepOutcome apart = step_of(backend, network, std::vector<CallFusion>(network.calls.size()));
    for (int node = 0; node < kNodes; ++node) EXPECT_NEAR(fused.loss[node], apart.loss[node], 2e-5 * apart.loss[node]);
    EXPECT_LE(distance(fused.statistics, apart.statistics), 1e-5);
    EXPECT_LE(distance(fused.gradient, apart.gradient), kTolerance);
  }
}

#if SPARSEPUSH_SIMULATED_CUDA
/// What a forward pass of one node in training moves: copied to shared memory, read and written by wide accesses.
struct Traffic {
  double copied, read, written;
};
Traffic forward_traffic(const Network& network, const std::vector<CallFusion>& fusion, int samples) {
  const Cuda gpu;
  NetworkPass<Cuda> pass(gpu, network, 1, samples, fusion);
  std::vector<float> row(network.layout.row), running(network.statistics);
  initialize_network(network, 1, row.data());
  initialize_statistics(network, running.data());
  const Buffer<Cuda, float> x(gpu, 1, static_cast<int>(row.size()), row),
      statistics(gpu, 1, static_cast<int>(running.size()), running);
  const Buffer<Cuda, double> u(gpu, {1.0});
  const simt::Counts before = simt::counts;
  pass.forward(gpu, {.at = {.x = x.view(), .u = u.span()}, .statistics = statistics.view()}, samples, true);
  return {static_cast<double>(simt::counts.copied_bytes - before.copied_bytes),
          static_cast<double>(simt::counts.read_bytes - before.read_bytes),
          static_cast<double>(simt::counts.written_bytes - before.written_bytes)};
}

/// ResNet-20 has 188,416 outputs of convolutions an image of 32 x 32. Separate calls read them twice to normalize them,
/// with moments once. Identity shortcuts and the pool's input are read besides; sums are read and written by doubles.
TEST(Fusion, MomentsSaveOneReadOfEveryOutputOfAConvolution) {
  const Network network = in(Precision::kTf32, make_resnet20({32, 32, 3}, 10, Norm::kBatch));
  constexpr int kSamples = 2;
  const double bytes = kSamples * 4.0, outputs = 188'416 * bytes;
  const double shortcuts = (3 * 16'384 + 2 * 8'192 + 2 * 4'096) * bytes, pooled = 4'096 * bytes, features = 64 * bytes;
  const Traffic fused = forward_traffic(network, fuse_calls(network), kSamples);
  const Traffic apart = forward_traffic(network, std::vector<CallFusion>(network.calls.size()), kSamples);
  EXPECT_EQ(fused.read, outputs + shortcuts + pooled);
  EXPECT_GE(apart.read, 2 * outputs + shortcuts + pooled);
  EXPECT_EQ(fused.written, 2 * outputs + features);
  EXPECT_EQ(apart.written, fused.written);
  EXPECT_EQ(apart.copied, fused.copied);
}
#endif

}  // namespace
}  // namespace sparsepush
