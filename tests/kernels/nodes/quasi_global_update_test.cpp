#include "kernels/nodes/quasi_global_update.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/kernels/nodes/sgd_step.h"

namespace sparsepush {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float direction_of(const SgdSettings& s, float z, float& momentum, float& last_z, float g) {
  momentum = std::fma(s.momentum, momentum, s.inverse_lr * (last_z - z));
  last_z = z;
  return std::fma(s.momentum, momentum, g);
}

template <class Backend>
void expect_definition(const Step& step) {
  expect_step<Backend>(step, direction_of,
                       [](const Backend& backend, const auto& layout, const SgdUpdate& sgd, MatrixView<float> second) {
                         quasi_global_update(backend, layout, {sgd, second});
                       });
}

Step with_settings(Step step) {
  step.second = random_step({static_cast<std::int64_t>(step.x.size())}, 1).x;
  step.second.resize(step.x.size());
  step.settings = {{.lr = 0.1f, .momentum = 0.9f, .weight_decay = 1e-3f, .inverse_lr = 0.75f}};
  return step;
}

template <class Backend>
class QuasiGlobalUpdateOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(QuasiGlobalUpdateOn, Backends);

TYPED_TEST(QuasiGlobalUpdateOn, IsTheDefinitionForSizesAroundVectorsAndPieces) {
  for (const std::vector<std::int64_t>& sizes :
       std::vector<std::vector<std::int64_t>>{{1}, {15}, {17}, {31, 33, 1, 2}, {32767, 5}, {32766, 32769}}) {
    expect_definition<TypeParam>(with_settings(random_step(sizes, 2)));
    expect_definition<TypeParam>(with_settings(random_step_with_all(sizes, 2)));
  }
}

TYPED_TEST(QuasiGlobalUpdateOn, UsesTheSettingsOfTheNodesReplica) {
  Step step = with_settings(random_step({100, 7}, 4));
  step.settings.push_back(step.settings[0]);
  step.settings[1].lr = 0.5f;
  step.settings[1].momentum = 0;
  step.settings[1].inverse_lr = 0;
  expect_definition<TypeParam>(step);
}

TYPED_TEST(QuasiGlobalUpdateOn, MarksTheNodesWhoseXIsNotFiniteAndNoOthers) {
  Step step = with_settings(random_step({33, 9}, 3));
  step.gradient[1 * step.layout.row + 32] = kInfinity;
  step.diverged[2] = 1;  // from an earlier step: left alone
  expect_definition<TypeParam>(step);
  EXPECT_EQ(expected_step(step, direction_of).diverged, (std::vector<std::uint8_t>{0, 1, 1}));
}

TEST(QuasiGlobalUpdate, RefusesShapesThatDoNotFit) {
  const Cpu cpu = tested_cpu(1);
  const Step step = with_settings(random_step({8}, 2));
  const StepOn<Cpu> there(cpu, step);
  const Buffer<Cpu, float> narrow(cpu, 2, 4), one(cpu, 1, 8);
  for (const MatrixView<float>& second : {narrow.view(), one.view(), MatrixView<float>{}})
    EXPECT_THROW(quasi_global_update(cpu, step.layout, {there.update(), second}), std::invalid_argument);
  SgdUpdate bad = there.update();
  bad.x = one.view();
  EXPECT_THROW(quasi_global_update(cpu, step.layout, {bad, there.second()}), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
