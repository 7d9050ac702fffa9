#include "kernels/mixing/update_mix.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>
#include <random>
#include <vector>

#include "kernels/mixing/dense_mix.h"
#include "tests/backends.h"
#include "tests/kernels/mixing/mixing_round.h"
#include "tests/kernels/nodes/sgd_step.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

template <class Backend>
Step updated_and_mixed(const Backend& backend, Step step, const Round& round) {
  const StepOn<Backend> there(backend, step);
  const RoundOn<Backend> round_there(backend, round);
  const Buffer<Backend, float> workspace(backend, 1,
                                         static_cast<int>(dense_mix_workspace(step.nodes, step.layout.row)));
  update_mix(backend, layout_on(backend, step.layout),
             {.sgd = there.update(), .edges = round_there.edges(), .workspace = workspace.span()});
  there.read_back(step);
  return step;
}

template <class Backend>
void expect_definition(const Step& step, const Round& round) {
  Step wanted = expected_step(step);
  wanted.x = expected_mix(wanted.x, static_cast<int>(step.layout.row), round);
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    const Step actual = updated_and_mixed(backend, step, round);
    EXPECT_TRUE(same_values(actual.x, wanted.x)) << step.nodes << " x " << step.layout.row;
    EXPECT_TRUE(same_values(actual.momentum, wanted.momentum)) << step.nodes << " x " << step.layout.row;
    EXPECT_EQ(actual.diverged, wanted.diverged) << step.nodes << " x " << step.layout.row;
  });
}

template <class Backend>
class UpdateMixOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(UpdateMixOn, Backends);

/// Rows around panels, few nodes with wide panels, and more and more nodes, up to more than shared memory of a GPU
/// holds.
TYPED_TEST(UpdateMixOn, IsTheStepOfEveryNodeAndThenTheDenseRound) {
  struct Shape {
    std::vector<std::int64_t> sizes;
    int nodes;
  };
  std::mt19937 generator(5);
  for (const Shape& shape : std::vector<Shape>{{{1}, 1},
                                               {{512}, 1},
                                               {{513}, 2},
                                               {{31, 33, 1, 2, 700, 5, 6000}, 3},
                                               {{40000, 7}, 2},
                                               {{1500, 1, 2}, 40},
                                               {{130, 3}, 250},
                                               {{50}, 900},
                                               {{17}, 7300}}) {
    Step step = random_step(shape.sizes, shape.nodes);
    const int sources = std::min(shape.nodes, 300);  // of more there would be too many edges
    Round round = random_round(sources, sources, generator);
    for (int node = sources; node < shape.nodes; ++node) {
      round.slot.insert(round.slot.end(), {node - 200, node - 1});
      round.weight.insert(round.weight.end(), {0.25f, 0.1f});
      round.begin.push_back(static_cast<std::int64_t>(round.slot.size()));
      round.self_weight.push_back(-0.3f);
    }
    expect_definition<TypeParam>(step, round);
    step.nesterov = true;
    expect_definition<TypeParam>(step, round);
  }
}

TYPED_TEST(UpdateMixOn, UsesTheSettingsOfTheNodesReplica) {
  std::mt19937 generator(6);
  Step step = random_step({100, 7}, 6);
  step.settings = {{0.1f, 0.9f, 0.5f}, {0.0f, 0.0f, 0.0f}, {1.0f, 0.1f, 0.25f}};
  expect_definition<TypeParam>(step, random_round(6, 6, generator));
}

/// Whose x is not finite before mixing: nodes that only hear of it are not marked.
TYPED_TEST(UpdateMixOn, MarksTheNodesThatDivergeAndNoOthers) {
  std::mt19937 generator(7);
  Step step = random_step({4000, 9}, 5);
  const std::int64_t row = step.layout.row;
  step.gradient[1 * row + 3999] = std::numeric_limits<float>::infinity();
  step.x[2 * row + 5] = std::numeric_limits<float>::quiet_NaN();
  step.x[3 * row + 4000] = std::numeric_limits<float>::max();
  step.gradient[3 * row + 4000] = -std::numeric_limits<float>::max();
  step.settings[0].lr = 10;
  step.diverged[4] = 1;  // from an earlier step: left alone
  const Round round = random_round(5, 5, generator);
  expect_definition<TypeParam>(step, round);
  EXPECT_EQ(expected_step(step).diverged, (std::vector<std::uint8_t>{0, 1, 1, 1, 1}));
}

TYPED_TEST(UpdateMixOn, LeavesPaddingZeroWhereEverythingElseIsNaN) {
  std::mt19937 generator(8);
  Step step = random_step({1, 2, 3}, 4);
  step.u.assign(4, 0.0);
  const Round round = random_round(4, 4, generator);
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const Step actual = updated_and_mixed(backend, step, round);
    for (const int padding : {1, 2, 3, 6, 7, 11}) {
      for (int node = 0; node < 4; ++node)
        EXPECT_EQ(std::bit_cast<std::uint32_t>(actual.x[node * 12 + padding]), 0u) << node << ' ' << padding;
    }
  });
}

TEST(UpdateMix, RefusesShapesThatDoNotFit) {
  const Cpu cpu = tested_cpu(1);
  std::mt19937 generator(9);
  const Step step = random_step({8}, 2);
  const StepOn<Cpu> there(cpu, step);
  const SgdUpdate update = there.update();
  SgdUpdate narrow = update;
  narrow.u = narrow.u.first(1);
  const Round fitting = random_round(2, 2, generator), large = random_round(3, 3, generator);
  Round outside = fitting;
  outside.slot.push_back(2);
  outside.weight.push_back(1);
  ++outside.begin.back();
  const RowLayout& layout = step.layout;
  EXPECT_NO_THROW(check_update_mix_shapes(layout, {.sgd = update, .edges = fitting.edges()}));
  EXPECT_THROW(update_mix(cpu, layout, {.sgd = narrow, .edges = fitting.edges()}), std::invalid_argument);
  EXPECT_THROW(update_mix(cpu, layout, {.sgd = update, .edges = large.edges()}), std::invalid_argument);
  EXPECT_THROW(update_mix(cpu, layout, {.sgd = update, .edges = outside.edges()}), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
