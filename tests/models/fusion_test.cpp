#include "models/fusion.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ostream>
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

/// How many convolutions leave moments, how many normalizations terms, and how many convolutions sum a gradient.
struct Fused {
  int moments = 0, terms = 0, gradients = 0;
  friend bool operator==(const Fused&, const Fused&) = default;
};
std::ostream& operator<<(std::ostream& os, const Fused& fused) {
  return os << fused.moments << " moments, " << fused.terms << " terms, " << fused.gradients << " gradients";
}
Fused fused_of(const Network& network) {
  Fused fused;
  for (const CallFusion& call : fuse_calls(network, 32))
    fused.moments += call.leaves_moments, fused.terms += call.leaves_terms, fused.gradients += call.sums_gradient;
  return fused;
}

TEST(Fusion, IsDecidedByTheShapesOfCalls) {
  const ImageShape image{32, 32, 3};
  EXPECT_EQ(fused_of(in(Precision::kTf32, make_resnet20(image, 10, Norm::kBatch))), (Fused{19, 9, 18}));
  EXPECT_EQ(fused_of(in(Precision::kTf32, make_resnet20({28, 28, 1}, 10, Norm::kBatch))), (Fused{19, 9, 18}));
  EXPECT_EQ(fused_of(in(Precision::kTf32, make_vgg11(image, 10, Norm::kBatch))), (Fused{8, 3, 3}));
  EXPECT_EQ(fused_of(in(Precision::kTf32, make_lenet5(image, 10, Norm::kBatch))), Fused{});
  EXPECT_EQ(fused_of(in(Precision::kFp32, make_resnet20(image, 10, Norm::kBatch))), Fused{});
  for (const Norm norm : {Norm::kNone, Norm::kGroup, Norm::kEvoNorm})
    EXPECT_EQ(fused_of(in(Precision::kTf32, make_resnet20(image, 10, norm))), Fused{});
}

/// What is added to a skip tensor, or is one, is stored.
TEST(Fusion, TermsTakeThePlaceOfWhatOneConvolutionReads) {
  const Network network = residual_network(Precision::kTf32, true, {8, 8, 3}, true);
  const std::vector<CallFusion> fusion = fuse_calls(network, 5);
  for (std::size_t i = 0; i < fusion.size(); ++i) {
    const LayerCall& call = network.calls[i];
    const bool is_norm = std::holds_alternative<NormalizeLayer>(call.layer);
    const bool is_read_once = is_norm && call.skip == kNoTensor && call.skipped_to == kNoTensor;
    EXPECT_EQ(fusion[i].leaves_terms, is_read_once && std::holds_alternative<Conv2dLayer>(network.calls[i + 1].layer))
        << i;
  }
}

TEST(Fusion, OnACpuNothingIsFused) {
  const Network network = in(Precision::kTf32, make_resnet20({32, 32, 3}, 10, Norm::kBatch));
  for (const CallFusion& call : fuse_calls_on<Cpu>(network, 32))
    EXPECT_FALSE(call.leaves_moments || call.leaves_terms || call.sums_gradient);
}

/// Fewer samples never have more tiles, so that the room for the most serves them all.
TEST(Fusion, RoomForSumsGrowsWithTheSamples) {
  const Network network = in(Precision::kTf32, make_resnet20({28, 28, 1}, 10, Norm::kBatch));
  const auto fusion = fuse_calls(network, 70);
  for (int samples = 1; samples < 70; ++samples)
    EXPECT_LE(tile_sum_doubles(network, fusion, samples), tile_sum_doubles(network, fusion, samples + 1)) << samples;
}

template <class Backend>
class FusionOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(FusionOn, Backends);

/// Layers one after the other, to more than 128 channels, as VGG11 has them.
Network plain_network() {
  NetworkBuilder net({8, 8, 3});
  for (const int channels : {16, 32, 160, 160}) {
    const std::string name = "layer" + std::to_string(net.tensor());
    net.conv2d(
        name + ".conv",
        {.out = channels, .weight = {InitialValue::Kind::kNormal, std::sqrt(2.0 / (9.0 * net.shape().channels))}});
    net.normalize(name + ".bn", {.norm = Norm::kBatch});
    if (channels == 32) net.pool(Pool::kMax);
  }
  net.pool(Pool::kAverage);
  net.dense("classifier", 5, false);
  return in(Precision::kTf32, net.finish());
}

struct Trained {
  std::string name;
  Network network;
  /// How far a fused step may be from one of separate calls, by norm: both have variances within 1e-5, and what differs
  /// in the last bits may be rounded to another TF32, or cut off by a ReLU, more often the more layers there are.
  double statistics = 1e-5, gradient = 1e-3;
  double summed = 1e-4;  ///< its gradient where only the gradient's sums are fused
};
/// With a sanitizer, where all of them take minutes, the first two.
std::vector<Trained> networks() {
  std::vector<Trained> all = {
      {"residual with a tail", residual_network(Precision::kTf32, true, {8, 8, 3}, true)},
      {"plain", plain_network()},
      {"residual", residual_network(Precision::kTf32, true)},
      {"residual without ReLU", residual_network(Precision::kTf32, false)},
      {"residual of large grey images", residual_network(Precision::kTf32, true, {28, 28, 1})},
      {"resnet20", in(Precision::kTf32, make_resnet20({8, 8, 3}, 5, Norm::kBatch)), 2e-4, 0.1, 2e-3}};
  if (kSanitized) all.erase(all.begin() + 2, all.end());
  return all;
}

TYPED_TEST(FusionOn, AStepIsThatOfSeparateCalls) {
  const TypeParam backend = tested_backend<TypeParam>();
  for (const Trained& t : networks()) {
    SCOPED_TRACE(t.name);
    const std::vector<CallFusion> all = fuse_calls_on<TypeParam>(t.network, kBatch);
    std::vector<CallFusion> none(all.size()), sums(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) sums[i].sums_gradient = all[i].sums_gradient;
    const StepOutcome fused = step_of(backend, t.network, all), apart = step_of(backend, t.network, none),
                      summed = step_of(backend, t.network, sums);
    for (int node = 0; node < kNodes; ++node) EXPECT_NEAR(fused.loss[node], apart.loss[node], 1e-4 * apart.loss[node]);
    EXPECT_LE(distance(fused.statistics, apart.statistics), t.statistics);
    EXPECT_LE(distance(fused.gradient, apart.gradient), t.gradient);
    EXPECT_TRUE(same_values(summed.loss, apart.loss));
    EXPECT_TRUE(same_values(summed.statistics, apart.statistics));
    EXPECT_LE(distance(summed.gradient, apart.gradient), t.summed);
  }
}

void expect_same(const StepOutcome& computed, const StepOutcome& wanted) {
  EXPECT_TRUE(same_values(computed.loss, wanted.loss));
  EXPECT_TRUE(same_values(computed.gradient, wanted.gradient));
  EXPECT_TRUE(same_values(computed.statistics, wanted.statistics));
}

/// A convolution reads the values that would have been stored.
TYPED_TEST(FusionOn, ANormalizationOnLoadChangesNoBits) {
  const TypeParam backend = tested_backend<TypeParam>();
  for (const Trained& t : networks()) {
    SCOPED_TRACE(t.name);
    std::vector<CallFusion> stored = fuse_calls_on<TypeParam>(t.network, kBatch);
    for (CallFusion& call : stored) call.leaves_terms = false;
    expect_same(step_of(backend, t.network), step_of(backend, t.network, stored));
  }
}

/// Sums depend on the samples that there are.
TYPED_TEST(FusionOn, ASmallerStepThanPlannedHasTheSameBits) {
  const TypeParam backend = tested_backend<TypeParam>();
  for (const int planned : {kBatch + 1, 3 * kBatch}) {
    const Network network = residual_network(Precision::kTf32, true);
    expect_same(step_of(backend, network, fuse_calls_on<TypeParam>(network, planned), {}, planned),
                step_of(backend, network));
  }
}

#if SPARSEPUSH_SIMULATED_CUDA
TEST(Fusion, APassHoldsTheBytesThatArePlanned) {
  const Cuda gpu;
  for (const Precision precision : {Precision::kFp32, Precision::kTf32}) {
    const Network network = in(precision, make_resnet20({8, 8, 3}, 10, Norm::kBatch));
    const std::size_t before = simt::device_bytes();
    const NetworkPass<Cuda> pass(gpu, network, 3, 3 * 5);
    EXPECT_NEAR(static_cast<double>(simt::device_bytes() - before),
                static_cast<double>(NetworkPass<Cuda>::bytes(network, 3, 3 * 5)), 100);  // never 0
  }
}

/// What a pass of one node in training moves: copied to shared memory, read and written by wide accesses.
struct Traffic {
  double copied, read, written;
};
Traffic traffic_of(const auto& pass) {
  const simt::Counts before = simt::counts;
  pass();
  return {static_cast<double>(simt::counts.copied_bytes - before.copied_bytes),
          static_cast<double>(simt::counts.read_bytes - before.read_bytes),
          static_cast<double>(simt::counts.written_bytes - before.written_bytes)};
}
struct StepTraffic {
  Traffic forward, backward;
};
StepTraffic step_traffic(const Network& network, const std::vector<CallFusion>& fusion, int samples) {
  const Cuda gpu;
  NetworkPass<Cuda> pass(gpu, network, 1, samples, fusion);
  std::vector<float> row(network.layout.row), running(network.statistics);
  initialize_network(network, 1, row.data());
  initialize_statistics(network, running.data());
  const int columns = static_cast<int>(row.size());
  const Buffer<Cuda, float> x(gpu, 1, columns, row), gradient(gpu, 1, columns),
      statistics(gpu, 1, static_cast<int>(running.size()), running);
  const Buffer<Cuda, double> u(gpu, {1.0});
  const PassNodes nodes{.at = {.x = x.view(), .u = u.span()}, .statistics = statistics.view()};
  StepTraffic traffic{};
  traffic.forward = traffic_of([&] { pass.forward(gpu, nodes, samples, true); });
  traffic.backward = traffic_of([&] { pass.backward(gpu, nodes, samples, gradient.view()); });
  return traffic;
}

/// ResNet-20 has 188,416 outputs of convolutions an image of 32 x 32, of which 86,016 are normalized for one
/// convolution alone, and all but the last 4,096 for some convolution. Shortcuts and the pool are read besides; sums
/// and terms are not counted.
TEST(Fusion, SavesReadsAndWritesOfOutputsOfConvolutions) {
  const Network network = in(Precision::kTf32, make_resnet20({32, 32, 3}, 10, Norm::kBatch));
  constexpr int kSamples = 2;
  const double bytes = kSamples * 4.0, outputs = 188'416 * bytes, unstored = 86'016 * bytes, last = 4'096 * bytes;
  const double identity = (3 * 16'384 + 2 * 8'192 + 2 * 4'096) * bytes, option_a = (4'096 + 2'048) * bytes;
  const double features = 64 * bytes;
  std::vector<CallFusion> moments = fuse_calls(network, kSamples);
  for (CallFusion& call : moments) call.leaves_terms = call.sums_gradient = false;
  const StepTraffic apart = step_traffic(network, std::vector<CallFusion>(network.calls.size()), kSamples);
  const StepTraffic with_moments = step_traffic(network, moments, kSamples);
  const StepTraffic fused = step_traffic(network, fuse_calls(network, kSamples), kSamples);

  EXPECT_GE(apart.forward.read, 2 * outputs + identity + last);
  EXPECT_EQ(apart.forward.written, 2 * outputs + features);
  EXPECT_EQ(with_moments.forward.read, outputs + identity + last);
  EXPECT_EQ(with_moments.forward.written, 2 * outputs + features);
  EXPECT_EQ(fused.forward.read, outputs - unstored + identity + last);
  EXPECT_EQ(fused.forward.written, 2 * outputs - unstored + features);

  // Of separate calls the gradient, the output and the input, then input and gradient again.
  EXPECT_EQ(apart.backward.read, 5 * outputs + identity + last);
  EXPECT_EQ(apart.backward.written, 3 * outputs);
  EXPECT_EQ(fused.backward.read,
            2 * outputs + (outputs - last) + (outputs - last - unstored) + 3 * last + identity + option_a + last);
  EXPECT_EQ(fused.backward.written, 2 * outputs + last);
  for (const StepTraffic& other : {with_moments, fused}) {
    EXPECT_EQ(other.forward.copied, apart.forward.copied);
    EXPECT_EQ(other.backward.copied, apart.backward.copied);
  }
}
#endif

}  // namespace
}  // namespace sparsepush
