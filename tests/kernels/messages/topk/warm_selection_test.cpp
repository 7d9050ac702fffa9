// What selections remember from round to round changes no result.
#include <bit>

#include "tests/kernels/messages/topk/update_select_cases.h"

namespace sparsepush {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

template <class Backend>
class WarmSelectionOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(WarmSelectionOn, Backends);

TYPED_TEST(WarmSelectionOn, DoesNotDependOnWhatItRemembers) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{257, 10000, 3000});
    const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, 0.01)};
    const State state = random_state(layout, 1, 11);
    const Result wanted = expected_round(layout, plans, state, {});
    for (const float scale : {0.0f, 1e-30f, 0.9f, 1.0f, 1.001f, 1.2f, 1e30f, kInfinity, kNan}) {
      State other = random_state(layout, 1, 12);
      for (float& e : other.error) e *= scale;
      Emulated<TypeParam> emulated(backend, 1, layout, plans);
      for (int round = 0; round < 2; ++round) emulated.round(other, {});
      expect_same(emulated.round(state, {}), wanted, "history scaled by " + std::to_string(scale));
      expect_same(emulated.round(state, {}), wanted, "again after " + std::to_string(scale));
    }
  });
}

/// Sizes around warps, around what a warp selects from, around whole tiles and around several part tiles.
const std::vector<std::int64_t> kBorderSizes = {1,    31,   32,   33,   511, 512,  513,  1,     4095, 4096,
                                                4097, 8191, 8192, 8193, 1,   8188, 8189, 20001, 1,    1};

TYPED_TEST(WarmSelectionOn, IsTheDefinitionForGroupsAroundTheBordersOfTiles) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(kBorderSizes);
    const std::vector<std::pair<TopkScope, double>> plan_of = {{TopkScope::kLayer, 1e-9},
                                                               {TopkScope::kLayer, 0.01},
                                                               {TopkScope::kLayer, 0.9999},
                                                               {TopkScope::kLayer, 1},
                                                               {TopkScope::kGlobal, 1}};
    for (const auto& [scope, keep] : plan_of) {
      const std::vector<TopkPlan> plans = {make_topk_plan(layout, scope, keep)};
      Emulated<TypeParam> emulated(backend, 1, layout, plans);
      for (const unsigned seed : {1, 2}) {
        const State state = random_state(layout, 1, seed);
        expect_same(emulated.round(state, {}), expected_round(layout, plans, state, {}), std::to_string(keep));
      }
    }
  });
}

/// `scale` times a state of which every round's draw is another.
State scaled_state(const RowLayout& layout, int nodes, unsigned seed, float scale) {
  State state = random_state(layout, nodes, seed);
  for (std::vector<float>* values : {&state.x, &state.momentum, &state.gradient, &state.error})
    for (float& value : *values) value *= scale;
  return state;
}

TYPED_TEST(WarmSelectionOn, FollowsThresholdsThatStayRiseFallAndJump) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{1, 12000, 300});
    const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, 0.01)};
    Emulated<TypeParam> emulated(backend, 1, layout, plans);
    unsigned round = 0;
    for (const float scale : {1.0f, 1.0f, 1.0f, 1.0f, 1.05f, 2.0f, 2.0f, 1.0f, 0.97f, 1e-39f, 0.0f, 1.0f}) {
      const State state = scaled_state(layout, 1, ++round, scale);
      expect_same(emulated.round(state, {}), expected_round(layout, plans, state, {}),
                  "round " + std::to_string(round));
    }
  });
}

/// `large` elements of magnitude about 1, spread over the row from `first` on, and all others tiny.
State outstanding(const RowLayout& layout, std::int64_t large, std::int64_t first, std::int64_t stride) {
  return state_of(filled(layout, 1,
                         [&](std::int64_t j) {
                           const std::int64_t number = (j - first) / stride;
                           const bool is_large = j >= first && (j - first) % stride == 0 && number < large;
                           return is_large ? (j % 2 ? 1.0f : -1.0f) * (1 + static_cast<float>(number % 7) / 64)
                                           : 1e-6f * static_cast<float>(j % 5);
                         }),
                  1);
}

TYPED_TEST(WarmSelectionOn, IsExactForTooFewAndTooManyElementsAboveTheLastThreshold) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{18000});
    const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, 0.01)};
    Emulated<TypeParam> emulated(backend, 1, layout, plans);
    // 180 are kept; 180, 181 and many are enough, and 4 * 180 + 512 = 1232 the most that is remembered for the next
    // round.
    for (const std::int64_t large : {180, 180, 181, 179, 180, 1231, 1232, 180, 1233, 180, 180, 5000, 180}) {
      const State state = outstanding(layout, large, large % 3, 3);
      expect_same(emulated.round(state, {}), expected_round(layout, plans, state, {}), std::to_string(large));
    }
    for (const std::int64_t first : {0, 5000, 17000, 17000}) {  // all in one tile
      const State state = outstanding(layout, 400, first, 1);
      expect_same(emulated.round(state, {}), expected_round(layout, plans, state, {}), std::to_string(first));
    }
  });
}

TYPED_TEST(WarmSelectionOn, TiesAcrossTilesKeepTheLowerPositionWhereTheThresholdIsKnown) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{15001});
    const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, 0.01)};
    Emulated<TypeParam> emulated(backend, 1, layout, plans);
    for (const unsigned stride : {40, 50, 149}) {  // 376, 301 and 101 equal ones, of which 150 are kept
      const State state = state_of(
          filled(layout, 1, [&](std::int64_t j) { return j % stride ? static_cast<float>(j % 7) / 64 : 3.0f; }), 1);
      const Result wanted = expected_round(layout, plans, state, {});
      for (int round = 0; round < 3; ++round) expect_same(emulated.round(state, {}), wanted, std::to_string(stride));
    }
  });
}

TYPED_TEST(WarmSelectionOn, RemembersForEveryReplicaAndNodeItsOwn) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{9000, 50, 8203});
    const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, 0.01),
                                         make_topk_plan(layout, TopkScope::kGlobal, 0.002),
                                         make_topk_plan(layout, TopkScope::kLayer, 0.2)};
    const Setting setting{.settings = std::vector<SgdSettings>(3, {.lr = 0.01f, .momentum = 0.5f, .weight_decay = 0})};
    Emulated<TypeParam> emulated(backend, 6, layout, plans);
    State state = random_state(layout, 6, 17);
    for (std::size_t node = 0; node < 6; ++node)
      for (std::int64_t j = 0; j < layout.row; ++j)
        state.error[node * layout.row + j] *= std::pow(3.0f, static_cast<float>(node));
    const Result wanted = expected_round(layout, plans, state, setting);
    for (int round = 0; round < 4; ++round)
      expect_same(emulated.round(state, setting), wanted, "round " + std::to_string(round));
  });
}

TYPED_TEST(WarmSelectionOn, SharesOneMemoryLayoutAmongReplicasOfOnePlan) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{8300, 9});
    const std::vector<TopkPlan> plans(3, make_topk_plan(layout, TopkScope::kLayer, 0.01));
    Emulated<TypeParam> emulated(backend, 6, layout, plans);
    for (const unsigned seed : {1, 2, 3}) {
      const State state = random_state(layout, 6, seed);
      expect_same(emulated.round(state, {}), expected_round(layout, plans, state, {}), std::to_string(seed));
    }
  });
}

TYPED_TEST(WarmSelectionOn, RanksNanInALargeGroupFromRoundToRound) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{9000});
    const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, 0.001)};
    Emulated<TypeParam> emulated(backend, 1, layout, plans);
    for (const int strange : {5, 5, 9, 30, 2, 2}) {
      const State state = state_of(filled(layout, 1,
                                          [&](std::int64_t j) {
                                            const std::int64_t number = j / 251;
                                            if (j % 251 != 1 || number >= strange) return static_cast<float>(j) / 9000;
                                            return number % 2 ? kInfinity : -kNan;
                                          }),
                                   1);
      expect_same(emulated.round(state, {}), expected_round(layout, plans, state, {}), std::to_string(strange));
    }
  });
}

}  // namespace
}  // namespace sparsepush
