#include "kernels/messages/random_k.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "tests/backends.h"
#include "tests/random_values.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kRound = 3;

/// The positions of a message by the definition.
std::vector<std::int32_t> positions_of(const RowLayout& layout, const TopkPlan& plan, std::uint64_t seed) {
  std::vector<std::int32_t> positions;
  const auto draw_from = [&](std::uint64_t node, std::int64_t first, std::int64_t size, std::int64_t entries) {
    std::set<std::int64_t> drawn;
    for (std::int64_t i = 0; i < entries; ++i)
      drawn.insert(first + random_permutation({.seed = seed, .purpose = Purpose{7}, .node = node, .step = kRound},
                                              static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(size)));
    for (const std::int64_t index : drawn)
      for (const Segment& s : layout.segments)
        if (index >= s.packed_begin && index < s.packed_begin + s.size)
          positions.push_back(static_cast<std::int32_t>(s.begin + index - s.packed_begin));
  };
  if (plan.scope == TopkScope::kGlobal) {
    draw_from(0xffff'ffff, 0, layout.params, plan.entries);
  } else {
    for (std::size_t l = 0; l < layout.segments.size(); ++l)
      draw_from(l, layout.segments[l].packed_begin, layout.segments[l].size, plan.groups[l].entries);
  }
  return positions;
}

/// Replicas of two nodes each, and a slot more.
template <class Backend>
void expect_definition(const RowLayout& layout, const std::vector<TopkPlan>& plans) {
  const int replicas = static_cast<int>(plans.size()), rows = 2 * replicas, columns = static_cast<int>(layout.row);
  std::vector<std::uint64_t> seeds;
  int most = 0;
  for (int r = 0; r < replicas; ++r) {
    seeds.push_back(100 + r);
    most = std::max(most, static_cast<int>(plans[r].entries));
  }
  std::mt19937 generator(columns);
  const std::vector<float> v = random_values(static_cast<std::size_t>(rows) * columns, generator);
  std::vector<float> rest = v, value(static_cast<std::size_t>(rows + 1) * most);
  std::vector<std::int32_t> position(value.size());
  for (int row = 0; row < rows; ++row) {
    const std::vector<std::int32_t> drawn = positions_of(layout, plans[row / 2], seeds[row / 2]);
    ASSERT_EQ(std::ssize(drawn), plans[row / 2].entries);
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      position[row * most + i] = drawn[i];
      value[row * most + i] = v[row * columns + drawn[i]];
      rest[row * columns + drawn[i]] = 0;
    }
  }
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    const auto layout_there = layout_on(backend, layout);
    const RandomPlans<Backend> plans_there(backend, layout, plans);
    const Buffer<Backend, float> left(backend, rows, columns, v), values(backend, rows + 1, most);
    const Buffer<Backend, std::int32_t> positions(backend, rows + 1, most);
    const Buffer<Backend, std::uint64_t> seed(backend, seeds);
    const Buffer<Backend, std::int64_t> round(backend, std::vector<std::int64_t>{kRound});
    random_k(backend, layout_there, plans_there,
             {.v = left.view(),
              .messages = {positions.view(), values.view()},
              .draws = {.seed = seed.span(), .round = round.span().data(), .first_node = 5}});
    EXPECT_EQ(positions.to_host(), position);
    EXPECT_TRUE(same_values(values.to_host(), value));
    EXPECT_TRUE(same_values(left.to_host(), rest));
  });
}

template <class Backend>
class RandomKOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(RandomKOn, Backends);

TYPED_TEST(RandomKOn, AllNodesOfAReplicaSendWhatIsDrawnForIt) {
  for (const std::vector<std::int64_t>& sizes : {std::vector<std::int64_t>{1}, {5, 1, 40}, {33, 130, 2, 97}}) {
    const RowLayout layout = make_row_layout(sizes);
    for (const TopkScope scope : {TopkScope::kLayer, TopkScope::kGlobal})
      for (const double keep : {0.01, 0.3, 1.0}) {
        SCOPED_TRACE(keep);
        expect_definition<TypeParam>(layout, {make_topk_plan(layout, scope, keep)});
      }
    expect_definition<TypeParam>(
        layout, {make_topk_plan(layout, TopkScope::kGlobal, 0.5), make_topk_plan(layout, TopkScope::kLayer, 0.2)});
  }
}

/// More words of a set than a block has threads.
TYPED_TEST(RandomKOn, LongRowsAreListedInOrder) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{20'001, 3});
  expect_definition<TypeParam>(layout, {make_topk_plan(layout, TopkScope::kGlobal, 0.02)});
}

TEST(RandomK, RefusesOtherShapes) {
  const Cpu cpu = tested_cpu(1);
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{8});
  const RandomPlans<Cpu> plans(cpu, layout, {make_topk_plan(layout, TopkScope::kLayer, 0.5)});
  const std::vector<std::uint64_t> one = {1}, two = {1, 2};
  const std::int64_t round = 0;
  const Buffer<Cpu, float> v(cpu, 2, 8), narrow(cpu, 2, 4), value(cpu, 2, 4), few(cpu, 1, 4);
  const Buffer<Cpu, std::int32_t> position(cpu, 2, 4), short_messages(cpu, 2, 3), few_messages(cpu, 1, 4);
  const auto send = [&](MatrixView<float> rows, MatrixView<std::int32_t> positions, MatrixView<float> values,
                        const std::vector<std::uint64_t>& seed, const std::int64_t* at) {
    random_k(cpu, layout, plans, {.v = rows, .messages = {positions, values}, .draws = {.seed = seed, .round = at}});
  };
  EXPECT_NO_THROW(send(v.view(), position.view(), value.view(), one, &round));
  EXPECT_THROW(send(narrow.view(), position.view(), value.view(), one, &round), std::invalid_argument);
  EXPECT_THROW(send(v.view(), short_messages.view(), value.view(), one, &round), std::invalid_argument);
  EXPECT_THROW(send(v.view(), few_messages.view(), few.view(), one, &round), std::invalid_argument);
  EXPECT_THROW(send(v.view(), position.view(), few.view(), one, &round), std::invalid_argument);
  EXPECT_THROW(send(v.view(), position.view(), value.view(), two, &round), std::invalid_argument);
  EXPECT_THROW(send(v.view(), position.view(), value.view(), one, nullptr), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
