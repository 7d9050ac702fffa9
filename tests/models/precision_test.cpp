// A step of a small network of residual blocks in TF32, beside the same in fp32.
#include <gtest/gtest.h>

#include "tests/backends.h"
#include "tests/models/residual_step.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

template <class Backend>
class PrecisionOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(PrecisionOn, Backends);

TYPED_TEST(PrecisionOn, AStepInTf32IsNearThatInFp32) {
  for (const bool relu : {false, true}) {
    const StepOutcome exact = step_of(tested_backend<TypeParam>(), residual_network(Precision::kFp32, relu));
    const StepOutcome rounded = step_of(tested_backend<TypeParam>(), residual_network(Precision::kTf32, relu));
    for (int node = 0; node < kNodes; ++node)
      EXPECT_NEAR(rounded.loss[node], exact.loss[node], 2e-3 * exact.loss[node]);
    // A thousandth of the signs before a ReLU changes three hundredths of what flows back through it.
    EXPECT_LE(distance(rounded.gradient, exact.gradient), relu ? 8e-2 : 2e-3);
  }
}

TYPED_TEST(PrecisionOn, ANodesStepHasTheSameBitsInAnyShard) {
  const Network network = residual_network(Precision::kTf32, true);
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

#if SPARSEPUSH_SIMULATED_CUDA
TEST(Precision, Tf32TakesTensorCoresAndFp32DoesNot) {
  const std::uint64_t before = simt::counts.products;
  step_of(Cuda(), residual_network(Precision::kFp32, true), {0, 1});
  EXPECT_EQ(simt::counts.products, before);
  step_of(Cuda(), residual_network(Precision::kTf32, true), {0, 1});
  EXPECT_GT(simt::counts.products, before);
}
#endif

}  // namespace
}  // namespace sparsepush
