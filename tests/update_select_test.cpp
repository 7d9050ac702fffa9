#include "kernels/update_select.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>

#include "kernels/buffer.h"
#include "tests/backends.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Everything that a round reads and writes, in host memory: [nodes, row] each.
struct State {
  std::vector<float> x, momentum, gradient, error;
  std::vector<double> u;
};

struct Result {
  State state;
  std::vector<std::vector<std::int32_t>> position;  ///< [nodes][entries]
  std::vector<std::vector<float>> value;            ///< [nodes][entries]
  std::vector<std::uint8_t> diverged;               ///< [nodes]
};

struct Setting {
  std::vector<SgdSettings> settings = {{.lr = 0.1f, .momentum = 0.9f, .weight_decay = 1e-4f}};
  bool nesterov = false;
};

/// a before b: the larger magnitude, NaN first, then the lower position.
bool ranks_before(float a, float b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && !std::isnan(b);
  return std::fabs(a) > std::fabs(b);
}

/// The definition, one coordinate and one group at a time.
Result expected_round(const RowLayout& layout, const std::vector<TopkPlan>& plans, State s, const Setting& setting) {
  const std::size_t nodes = s.u.size();
  Result result;
  for (std::size_t node = 0; node < nodes; ++node) {
    const SgdSettings& sgd = setting.settings[node / (nodes / setting.settings.size())];
    const TopkPlan& plan = plans[node / (nodes / plans.size())];
    const float r = static_cast<float>(1.0 / s.u[node]);
    bool diverged = false;
    for (const Segment& segment : layout.segments) {
      for (std::int64_t j = segment.begin; j < segment.begin + segment.size; ++j) {
        const std::size_t at = node * layout.row + j;
        const float z = s.x[at] * r;
        const float g = std::fma(sgd.weight_decay, z, s.gradient[at]);
        s.momentum[at] = std::fma(sgd.momentum, s.momentum[at], g);
        const float step = setting.nesterov ? std::fma(sgd.momentum, s.momentum[at], g) : s.momentum[at];
        s.x[at] = std::fma(-sgd.lr, step, s.x[at]);
        s.error[at] = s.x[at] + s.error[at];
        diverged |= !std::isfinite(s.error[at]);
      }
    }
    result.diverged.push_back(diverged);
    result.position.emplace_back();
    result.value.emplace_back();
    float* const v = s.error.data() + node * layout.row;
    for (const TopkGroup& group : plan.groups) {
      std::vector<std::int32_t> order;
      for (int i = group.first_segment; i < group.last_segment; ++i) {
        for (std::int64_t j = 0; j < layout.segments[i].size; ++j) order.push_back(layout.segments[i].begin + j);
      }
      std::stable_sort(order.begin(), order.end(), [v](int a, int b) { return ranks_before(v[a], v[b]); });
      order.resize(group.entries);
      std::sort(order.begin(), order.end());
      for (const std::int32_t j : order) {
        result.position.back().push_back(j);
        result.value.back().push_back(v[j]);
        v[j] = 0;
      }
    }
  }
  result.state = std::move(s);
  return result;
}

/// The op with what it remembers from round to round.
template <class Backend>
class Emulated {
 public:
  Emulated(const Backend& backend, int nodes, const RowLayout& layout, std::vector<TopkPlan> plans)
      : backend_(backend), nodes_(nodes), layout_(layout), plans_(plans), memory_(backend, nodes, layout, plans) {}

  Result round(const State& s, const Setting& setting) {
    const int row = static_cast<int>(layout_.row);
    std::int64_t entries = 0;
    for (const TopkPlan& plan : plans_) entries = std::max(entries, plan.entries);
    Array<float> x(backend_, nodes_, row, s.x), momentum(backend_, nodes_, row, s.momentum),
        gradient(backend_, nodes_, row, s.gradient), error(backend_, nodes_, row, s.error),
        value(backend_, nodes_ + 1, static_cast<int>(entries));
    Array<std::int32_t> position(backend_, nodes_ + 1, static_cast<int>(entries));
    const Array<double> u(backend_, s.u);
    const Array<SgdSettings> settings(backend_, setting.settings);
    Array<std::uint8_t> diverged(backend_, 1, nodes_);
    update_select(backend_, memory_,
                  {.sgd = {.x = x.view(),
                           .momentum = momentum.view(),
                           .gradient = gradient.view(),
                           .u = u.span(),
                           .settings = settings.span(),
                           .nesterov = setting.nesterov,
                           .diverged = diverged.span()},
                   .error = error.view(),
                   .messages = {position.view(), value.view()}});
    Result result{.state = {x.to_host(), momentum.to_host(), s.gradient, error.to_host(), s.u},
                  .position = {},
                  .value = {},
                  .diverged = diverged.to_host()};
    const std::vector<std::int32_t> positions = position.to_host();
    const std::vector<float> values = value.to_host();
    for (int node = 0; node < nodes_; ++node) {
      const std::int64_t own = plans_[node / (nodes_ / plans_.size())].entries;
      const auto p = positions.begin() + node * entries;
      const auto q = values.begin() + node * entries;
      result.position.emplace_back(p, p + own);
      result.value.emplace_back(q, q + own);
    }
    return result;
  }

 private:
  template <class T>
  using Array = Buffer<Backend, T>;

  const Backend& backend_;
  int nodes_;
  RowLayout layout_;
  std::vector<TopkPlan> plans_;
  SelectionMemory<Backend> memory_;
};

template <class Backend>
class UpdateSelectOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(UpdateSelectOn, Backends);

void expect_same(const Result& actual, const Result& wanted, const std::string& what) {
  EXPECT_TRUE(same_values(actual.state.x, wanted.state.x)) << what;
  EXPECT_TRUE(same_values(actual.state.momentum, wanted.state.momentum)) << what;
  EXPECT_TRUE(same_values(actual.state.error, wanted.state.error)) << what;
  EXPECT_EQ(actual.diverged, wanted.diverged) << what;
  ASSERT_EQ(actual.position, wanted.position) << what;
  for (std::size_t node = 0; node < wanted.value.size(); ++node)
    EXPECT_TRUE(same_values(actual.value[node], wanted.value[node])) << what << ", node " << node;
}

/// Fills the elements of all segments by fill(element of the row), and leaves the padding zero.
template <class Fill>
std::vector<float> filled(const RowLayout& layout, int nodes, const Fill& fill) {
  std::vector<float> values(nodes * layout.row, 0.0f);
  for (int node = 0; node < nodes; ++node)
    for (const Segment& s : layout.segments)
      for (std::int64_t j = s.begin; j < s.begin + s.size; ++j) values[node * layout.row + j] = fill(j);
  return values;
}

State random_state(const RowLayout& layout, int nodes, unsigned seed, float error_scale = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  const auto draw = [&](float scale) {
    return filled(layout, nodes, [&, scale](std::int64_t) { return scale * normal(generator); });
  };
  State s{draw(1), draw(0.1f), draw(1), draw(error_scale), {}};
  for (int node = 0; node < nodes; ++node) s.u.push_back(1 + 0.37 * node);
  return s;
}

/// A state whose v = x + e is `v` exactly: nothing moves, x = 0.
State state_of(const std::vector<float>& v, int nodes) {
  const std::vector<float> zero(v.size(), 0.0f);
  return {zero, zero, zero, v, std::vector<double>(nodes, 1.0)};
}

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

TYPED_TEST(UpdateSelectOn, DoesNotDependOnWhatItRemembers) {
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

TYPED_TEST(UpdateSelectOn, IsTheDefinitionForGroupsAroundTheBordersOfTiles) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(kBorderSizes);
    for (const double keep : {1e-9, 0.01, 1.0}) {
      const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, keep)};
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

TYPED_TEST(UpdateSelectOn, FollowsThresholdsThatStayRiseFallAndJump) {
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

TYPED_TEST(UpdateSelectOn, IsExactForTooFewAndTooManyElementsAboveTheLastThreshold) {
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

TYPED_TEST(UpdateSelectOn, TiesAcrossTilesKeepTheLowerPositionWhereTheThresholdIsKnown) {
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

TYPED_TEST(UpdateSelectOn, RemembersForEveryReplicaAndNodeItsOwn) {
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

TYPED_TEST(UpdateSelectOn, SharesOneMemoryLayoutAmongReplicasOfOnePlan) {
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

TYPED_TEST(UpdateSelectOn, RanksNanInALargeGroupFromRoundToRound) {
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
  const Cpu cpu(1);
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
