#include "kernels/nodes/sgd_update.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/kernels/nodes/sgd_step.h"

namespace sparsepush {
namespace {

template <class Backend>
void expect_definition(const Step& step) {
  expect_step<Backend>(step, sgd_direction_in(step),
                       [](const Backend& backend, const auto& layout, const SgdUpdate& sgd, MatrixView<float>) {
                         sgd_update(backend, layout, sgd);
                       });
}

template <class Backend>
class SgdUpdateOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(SgdUpdateOn, Backends);

TYPED_TEST(SgdUpdateOn, IsTheDefinitionForSizesAroundVectorsAndPieces) {
  for (const std::vector<std::int64_t>& sizes : std::vector<std::vector<std::int64_t>>{
           {1}, {15}, {16}, {17}, {31, 33, 1, 2}, {32768}, {32767, 5}, {32766, 32769}, {70001, 3}}) {
    Step step = random_step(sizes, 2);
    expect_definition<TypeParam>(step);
    step.nesterov = true;
    expect_definition<TypeParam>(step);
  }
}

TYPED_TEST(SgdUpdateOn, UsesTheSettingsOfTheNodesReplica) {
  Step step = random_step({100, 7}, 6);
  step.settings = {{0.1f, 0.9f, 0.5f}, {0.0f, 0.0f, 0.0f}, {1.0f, 0.1f, 0.25f}};
  expect_definition<TypeParam>(step);
}

TYPED_TEST(SgdUpdateOn, TakesZFromMemoryAndAddsUpSteps) {
  for (const std::vector<std::int64_t>& sizes : std::vector<std::vector<std::int64_t>>{{17}, {31, 1}, {32766, 3}}) {
    Step step = random_step_with_all(sizes, 2);
    step.settings[0].weight_decay = 0.5f;
    for (const bool nesterov : {false, true}) {
      step.nesterov = nesterov;
      expect_definition<TypeParam>(step);
      Step without_z = step;
      without_z.z.clear();
      without_z.u = {0.7, 0.8};
      expect_definition<TypeParam>(without_z);
    }
  }
}

TYPED_TEST(SgdUpdateOn, MarksTheNodesWhoseXIsNotFiniteAndNoOthers) {
  Step step = random_step({40000, 9}, 5);
  const std::int64_t row = step.layout.row;
  step.gradient[1 * row + 39999] = std::numeric_limits<float>::infinity();
  step.x[2 * row + 5] = std::numeric_limits<float>::quiet_NaN();
  step.x[3 * row + 5] = std::numeric_limits<float>::max();
  step.gradient[3 * row + 5] = -std::numeric_limits<float>::max();
  step.settings[0].lr = 10;
  step.diverged[4] = 1;  // from an earlier step: left alone
  expect_definition<TypeParam>(step);
  EXPECT_EQ(expected_step(step).diverged, (std::vector<std::uint8_t>{0, 1, 1, 1, 1}));
}

TYPED_TEST(SgdUpdateOn, LeavesPaddingZeroWhereEverythingElseIsNaN) {
  Step step = random_step({1, 2, 3}, 1);
  step.u[0] = 0;
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const StepOn<TypeParam> there(backend, step);
    sgd_update(backend, layout_on(backend, step.layout), there.update());
    Step actual = step;
    there.read_back(actual);
    for (const std::int64_t padding : {1, 2, 3, 6, 7, 11})
      EXPECT_EQ(std::bit_cast<std::uint32_t>(actual.x[padding]), 0u) << padding;
  });
}

TEST(SgdUpdate, RefusesShapesThatDoNotFit) {
  const Step step = random_step({8}, 2);
  const Cpu cpu = tested_cpu(1);
  Buffer<Cpu, float> state(cpu, 2, 8), narrow(cpu, 2, 4), one(cpu, 1, 8);
  std::vector<std::uint8_t> diverged(2);
  const std::vector<SgdSettings> three(3);
  const SgdUpdate good{.x = state.view(),
                       .momentum = state.view(),
                       .gradient = state.view(),
                       .u = step.u,
                       .settings = step.settings,
                       .diverged = diverged};
  EXPECT_NO_THROW(check_sgd_update_shapes(step.layout, good));
  const auto expect_refused = [&](auto change) {
    SgdUpdate bad = good;
    change(bad);
    EXPECT_THROW(sgd_update(cpu, step.layout, bad), std::invalid_argument);
  };
  expect_refused([&](SgdUpdate& bad) { bad.x = narrow.view(); });
  expect_refused([&](SgdUpdate& bad) { bad.momentum = one.view(); });
  expect_refused([&](SgdUpdate& bad) { bad.gradient = narrow.view(); });
  expect_refused([&](SgdUpdate& bad) { bad.z = narrow.view(); });
  expect_refused([&](SgdUpdate& bad) { bad.steps = one.view(); });
  expect_refused([&](SgdUpdate& bad) { bad.u = bad.u.first(1); });
  expect_refused([&](SgdUpdate& bad) { bad.settings = three; });
  expect_refused([&](SgdUpdate& bad) { bad.settings = {}; });
  expect_refused([&](SgdUpdate& bad) { bad.diverged = bad.diverged.first(1); });
}

}  // namespace
}  // namespace sparsepush
