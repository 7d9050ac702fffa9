#include "kernels/nodes/adam_update.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/kernels/nodes/sgd_step.h"

namespace sparsepush {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

float direction_of(const SgdSettings& s, float /*z*/, float& momentum, float& second, float g) {
  momentum = std::fma(s.momentum, momentum, s.one_minus_beta1 * g);
  second = std::fma(s.beta2, second, s.one_minus_beta2 * (g * g));
  return momentum / std::fma(std::sqrt(second), s.inverse_root_correction2, s.epsilon);
}

template <class Backend>
void expect_definition(const Step& step) {
  expect_step<Backend>(step, direction_of,
                       [](const Backend& backend, const auto& layout, const SgdUpdate& sgd, MatrixView<float> second) {
                         adam_update(backend, layout, {sgd, second});
                       });
}

/// Second moments are not negative.
Step with_settings(Step step) {
  step.second = random_step({static_cast<std::int64_t>(step.x.size())}, 1).x;
  for (float& square : step.second) square *= square;
  step.second.resize(step.x.size());
  step.settings = {{.lr = 0.1f,
                    .momentum = 0.9f,
                    .weight_decay = 1e-3f,
                    .one_minus_beta1 = 0.1f,
                    .beta2 = 0.99f,
                    .one_minus_beta2 = 0.01f,
                    .inverse_root_correction2 = 3.5f,
                    .epsilon = 1e-8f}};
  return step;
}

template <class Backend>
class AdamUpdateOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(AdamUpdateOn, Backends);

TYPED_TEST(AdamUpdateOn, IsTheDefinitionForSizesAroundVectorsAndPieces) {
  for (const std::vector<std::int64_t>& sizes :
       std::vector<std::vector<std::int64_t>>{{1}, {15}, {17}, {31, 33, 1, 2}, {32767, 5}, {32766, 32769}}) {
    expect_definition<TypeParam>(with_settings(random_step(sizes, 2)));
    expect_definition<TypeParam>(with_settings(random_step_with_all(sizes, 2)));
  }
}

TYPED_TEST(AdamUpdateOn, UsesTheSettingsOfTheNodesReplica) {
  Step step = with_settings(random_step({100, 7}, 4));
  step.settings.push_back(step.settings[0]);
  step.settings[1].lr = 0.5f;
  step.settings[1].momentum = 0;
  step.settings[1].beta2 = 0.5f;
  step.settings[1].one_minus_beta2 = step.settings[1].one_minus_beta1 = 0.25f;
  step.settings[1].inverse_root_correction2 = 1;
  step.settings[1].epsilon = 0.5f;
  expect_definition<TypeParam>(step);
}

TYPED_TEST(AdamUpdateOn, MarksTheNodesWhoseXIsNotFiniteAndNoOthers) {
  Step step = with_settings(random_step({33, 9}, 3));
  step.gradient[1 * step.layout.row + 32] = kInfinity;
  step.diverged[2] = 1;  // from an earlier step: left alone
  expect_definition<TypeParam>(step);
  EXPECT_EQ(expected_step(step, direction_of).diverged, (std::vector<std::uint8_t>{0, 1, 1}));
}

TEST(AdamUpdate, RefusesShapesThatDoNotFit) {
  const Cpu cpu = tested_cpu(1);
  const Step step = with_settings(random_step({8}, 2));
  const StepOn<Cpu> there(cpu, step);
  const Buffer<Cpu, float> narrow(cpu, 2, 4), one(cpu, 1, 8);
  for (const MatrixView<float>& second : {narrow.view(), one.view(), MatrixView<float>{}})
    EXPECT_THROW(adam_update(cpu, step.layout, {there.update(), second}), std::invalid_argument);
  SgdUpdate bad = there.update();
  bad.x = one.view();
  EXPECT_THROW(adam_update(cpu, step.layout, {bad, there.second()}), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
