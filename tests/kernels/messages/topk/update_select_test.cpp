#include "kernels/messages/topk/update_select.h"

#include <bit>

#include "tests/kernels/messages/topk/update_select_cases.h"

namespace sparsepush {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class Backend>
class UpdateSelectOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(UpdateSelectOn, Backends);

const std::vector<std::int64_t> kOddSizes = {1, 2, 3, 5, 15, 16, 17, 31, 33, 255, 256, 257, 1023, 1024, 1025, 3001};

TYPED_TEST(UpdateSelectOn, IsTheDefinitionForEveryScopeAndKeep) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(kOddSizes);
    for (const TopkScope scope : {TopkScope::kLayer, TopkScope::kGlobal}) {
      for (const double keep : {1e-9, 0.01, 0.3, 1.0}) {
        const std::vector<TopkPlan> plans = {make_topk_plan(layout, scope, keep)};
        Emulated<TypeParam> emulated(backend, 3, layout, plans);
        const State state = random_state(layout, 3, 1);
        expect_same(emulated.round(state, {}), expected_round(layout, plans, state, {}),
                    "keep " + std::to_string(keep));
      }
    }
  });
}

TYPED_TEST(UpdateSelectOn, FollowsTheDefinitionOverManyRounds) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{300, 7, 2050, 12000});
    const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, 0.01)};
    for (const bool nesterov : {false, true}) {
      const Setting setting{.nesterov = nesterov};
      Emulated<TypeParam> emulated(backend, 2, layout, plans);
      State state = random_state(layout, 2, 5, 0);
      for (int round = 0; round < 5; ++round) {
        state.gradient = random_state(layout, 2, 100 + round).gradient;
        const Result actual = emulated.round(state, setting);
        expect_same(actual, expected_round(layout, plans, state, setting), "round " + std::to_string(round));
        state = actual.state;
      }
    }
  });
}

TYPED_TEST(UpdateSelectOn, UsesTheSettingsAndThePlanOfTheNodesReplica) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{1200, 50});
    const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, 0.1),
                                         make_topk_plan(layout, TopkScope::kGlobal, 0.01)};
    const Setting setting{{{0.1f, 0.9f, 0}, {0.5f, 0, 0.25f}}};
    Emulated<TypeParam> emulated(backend, 4, layout, plans);
    const State state = random_state(layout, 4, 9);
    expect_same(emulated.round(state, setting), expected_round(layout, plans, state, setting), "two replicas");
  });
}

TYPED_TEST(UpdateSelectOn, TiesKeepTheLowerPosition) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{12000, 5, 1000});
    for (const TopkScope scope : {TopkScope::kLayer, TopkScope::kGlobal}) {
      for (const float magnitude : {0.0f, 1.0f, std::numeric_limits<float>::denorm_min(), kInfinity, kNan}) {
        const std::vector<TopkPlan> plans = {make_topk_plan(layout, scope, 0.02)};
        const State state =
            state_of(filled(layout, 1, [&](std::int64_t j) { return j % 3 ? magnitude : -magnitude; }), 1);
        Emulated<TypeParam> emulated(backend, 1, layout, plans);
        const Result wanted = expected_round(layout, plans, state, {});
        for (int round = 0; round < 3; ++round) expect_same(emulated.round(state, {}), wanted, "round");
      }
    }
  });
}

TYPED_TEST(UpdateSelectOn, FewDistinctMagnitudesTieAcrossTiles) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{15001});
    const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, 0.05)};
    Emulated<TypeParam> emulated(backend, 1, layout, plans);
    for (const int distinct : {2, 3, 20, 500}) {
      std::mt19937 generator(distinct);
      const auto draw = [&](std::int64_t) { return static_cast<float>(generator() % distinct) - 1; };
      const State state = state_of(filled(layout, 1, draw), 1);
      expect_same(emulated.round(state, {}), expected_round(layout, plans, state, {}), std::to_string(distinct));
    }
  });
}

TYPED_TEST(UpdateSelectOn, RanksNanAboveInfinityAndMarksTheNode) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{2000, 3});
    const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, 0.002)};
    std::vector<float> v = filled(layout, 3, [](std::int64_t j) { return static_cast<float>(j) * 1e30f; });
    float* const second = v.data() + layout.row;
    second[100] = -kInfinity;
    second[1999] = kNan;
    second[70] = std::bit_cast<float>(0xff800001u);
    second[5] = kInfinity;
    const State state = state_of(v, 3);
    Emulated<TypeParam> emulated(backend, 3, layout, plans);
    const Result actual = emulated.round(state, {});
    expect_same(actual, expected_round(layout, plans, state, {}), "nan");
    EXPECT_EQ(actual.diverged, (std::vector<std::uint8_t>{0, 1, 0}));
    EXPECT_EQ(std::vector<std::int32_t>(actual.position[1].begin(), actual.position[1].begin() + 4),
              (std::vector<std::int32_t>{5, 70, 100, 1999}));
  });
}

TYPED_TEST(UpdateSelectOn, NeverSelectsPaddingEvenWhereEverythingIsZeroOrInfinitelyScaled) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{1, 3, 2, 1});
    const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kGlobal, 1.0)};
    for (const double u : {1.0, 0.0}) {
      State state = state_of(std::vector<float>(layout.row, 0.0f), 1);
      state.u[0] = u;
      Emulated<TypeParam> emulated(backend, 1, layout, plans);
      const Result actual = emulated.round(state, {});
      EXPECT_EQ(actual.position[0], (std::vector<std::int32_t>{0, 4, 5, 6, 8, 9, 12}));
      EXPECT_TRUE(same_values(actual.state.error, std::vector<float>(layout.row, 0.0f)));
      EXPECT_EQ(std::bit_cast<std::uint32_t>(actual.state.x[1]), 0u);
    }
  });
}

TYPED_TEST(UpdateSelectOn, FindsAllMassInOneSegmentOfAGlobalGroup) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{12000, 33, 12000});
    const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kGlobal, 0.1)};
    Emulated<TypeParam> emulated(backend, 1, layout, plans);
    for (const std::int64_t loud : {0, 1, 2}) {
      State state = random_state(layout, 1, 3, 1e-6f);
      const Segment& segment = layout.segments[loud];
      for (std::int64_t j = segment.begin; j < segment.begin + segment.size; ++j) state.error[j] += 100;
      expect_same(emulated.round(state, {}), expected_round(layout, plans, state, {}), std::to_string(loud));
    }
  });
}

TYPED_TEST(UpdateSelectOn, IsExactForAscendingAndDescendingMagnitudes) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{20000});
    for (const double keep : {5e-5, 0.001, 0.3}) {
      const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, keep)};
      for (const float slope : {1.0f, -1.0f}) {
        const auto rising = [&](std::int64_t j) { return 30000 + slope * static_cast<float>(j); };
        const State state = state_of(filled(layout, 1, rising), 1);
        Emulated<TypeParam> emulated(backend, 1, layout, plans);
        expect_same(emulated.round(state, {}), expected_round(layout, plans, state, {}), std::to_string(keep));
      }
    }
  });
}

TYPED_TEST(UpdateSelectOn, DividesLargeRows) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{40000, 100, 20, 35000, 7});
    for (const TopkScope scope : {TopkScope::kLayer, TopkScope::kGlobal}) {
      const std::vector<TopkPlan> plans = {make_topk_plan(layout, scope, 0.01)};
      const State state = random_state(layout, 3, 21);
      const Result wanted = expected_round(layout, plans, state, {});
      expect_same(Emulated<TypeParam>(backend, 3, layout, plans).round(state, {}), wanted, "large rows");
    }
  });
}

TYPED_TEST(UpdateSelectOn, CoversManySmallNodes) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{300, 10});
    const std::vector<TopkPlan> plans(2, make_topk_plan(layout, TopkScope::kLayer, 0.01));
    const State state = random_state(layout, 100, 31);
    expect_same(Emulated<TypeParam>(backend, 100, layout, plans).round(state, {}),
                expected_round(layout, plans, state, {}), "100 nodes");
  });
}

TEST(UpdateSelect, RefusesShapesThatDoNotFit) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{8});
  const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, 0.5)};
  const Cpu cpu = tested_cpu(1);
  Buffer<Cpu, float> state(cpu, 2, 8), narrow(cpu, 2, 4), one(cpu, 1, 8), value(cpu, 2, 4);
  Buffer<Cpu, std::int32_t> position(cpu, 2, 4), few(cpu, 2, 3);
  const std::vector<double> u(2, 1.0);
  const std::vector<SgdSettings> settings(1);
  std::vector<std::uint8_t> diverged(2);
  const UpdateSelect good{.sgd = {.x = state.view(),
                                  .momentum = state.view(),
                                  .gradient = state.view(),
                                  .u = u,
                                  .settings = settings,
                                  .diverged = diverged},
                          .error = state.view(),
                          .messages = {position.view(), value.view()}};
  EXPECT_NO_THROW(check_update_select_shapes(layout, plans, good));
  SelectionMemory<Cpu> memory(cpu, 2, layout, plans), of_three(cpu, 3, layout, plans);
  EXPECT_THROW(update_select(cpu, of_three, good), std::invalid_argument);
  const auto expect_refused = [&](auto change) {
    UpdateSelect bad = good;
    change(bad);
    EXPECT_THROW(update_select(cpu, memory, bad), std::invalid_argument);
  };
  expect_refused([&](UpdateSelect& bad) { bad.error = narrow.view(); });
  expect_refused([&](UpdateSelect& bad) { bad.error = one.view(); });
  expect_refused([&](UpdateSelect& bad) { bad.messages.position = few.view(); });
  expect_refused([&](UpdateSelect& bad) { bad.sgd.u = std::span(u).first(1); });
}

}  // namespace
}  // namespace sparsepush
