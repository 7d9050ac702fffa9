#include "kernels/messages/topk/topk_select.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"

namespace sparsepush {
namespace {

template <class Backend>
class TopkSelectOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(TopkSelectOn, Backends);

TYPED_TEST(TopkSelectOn, MovesTheLargestOfEachGroupToTheMessage) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{3, 5});
    Buffer<TypeParam, float> v(backend, 1, 12, std::vector<float>{1, -4, 2, 0, 3, 3, -3, 0.5f, 1, 0, 0, 0});
    Buffer<TypeParam, std::int32_t> position(backend, 1, 3);
    Buffer<TypeParam, float> value(backend, 1, 3);
    SelectionMemory<TypeParam> memory(backend, 1, layout, {make_topk_plan(layout, TopkScope::kLayer, 0.4)});
    topk_select(backend, memory, v.view(), {position.view(), value.view()});
    EXPECT_EQ(position.to_host(), (std::vector<std::int32_t>{1, 4, 5}));
    EXPECT_EQ(value.to_host(), (std::vector<float>{-4, 3, 3}));
    EXPECT_EQ(v.to_host(), (std::vector<float>{1, 0, 2, 0, 0, 0, -3, 0.5f, 1, 0, 0, 0}));
  });
}

TYPED_TEST(TopkSelectOn, TakesTheOneElementOfEveryGroup) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{1, 1, 1});
    Buffer<TypeParam, float> v(backend, 1, 12, std::vector<float>{0, 0, 0, 0, -0.0f, 0, 0, 0, 7, 0, 0, 0});
    Buffer<TypeParam, std::int32_t> position(backend, 1, 3);
    Buffer<TypeParam, float> value(backend, 1, 3);
    SelectionMemory<TypeParam> memory(backend, 1, layout, {make_topk_plan(layout, TopkScope::kLayer, 0.001)});
    topk_select(backend, memory, v.view(), {position.view(), value.view()});
    EXPECT_EQ(position.to_host(), (std::vector<std::int32_t>{0, 4, 8}));
    EXPECT_TRUE(std::signbit(value.to_host()[1]));
    EXPECT_FALSE(std::signbit(v.to_host()[4]));
  });
}

TYPED_TEST(TopkSelectOn, DividesPairsOfNeighbouringMagnitudes) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{2});
    SelectionMemory<TypeParam> memory(backend, 1, layout, {make_topk_plan(layout, TopkScope::kLayer, 0.5)});
    Buffer<TypeParam, float> value(backend, 1, 1);
    Buffer<TypeParam, std::int32_t> position(backend, 1, 1);
    const auto near = [](int i) { return std::bit_cast<float>(0x3fbf'fffeu + i); };  // the middle of all magnitudes
    for (int i = 0; i < 7; ++i) {
      for (int j = 0; j < 7; ++j) {
        Buffer<TypeParam, float> v(backend, 1, 4, std::vector<float>{near(i), near(j), 0, 0});
        topk_select(backend, memory, v.view(), {position.view(), value.view()});
        EXPECT_EQ(position.to_host()[0], j > i ? 1 : 0);
        EXPECT_EQ(value.to_host()[0], near(std::max(i, j)));
      }
    }
  });
}

TYPED_TEST(TopkSelectOn, SelectsFromAGroupOfManyTilesFromRoundToRound) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{300001});
  const TopkPlan plan = make_topk_plan(layout, TopkScope::kLayer, 0.001);
  std::vector<float> start(layout.row, 0.0f);
  std::mt19937 generator(3);
  for (std::int64_t j = 0; j < layout.params; ++j) start[j] = static_cast<float>(generator() % 1000) / 1e4f;
  for (std::int64_t j = 0; j < 299; ++j) start[1003 * j] = static_cast<float>(j % 10) - 20;
  const float threshold = *std::max_element(start.begin(), start.end());  // many tie: the first of them is the 300th
  std::vector<std::int32_t> wanted = {static_cast<std::int32_t>(std::ranges::find(start, threshold) - start.begin())};
  for (std::int32_t j = 0; j < 299; ++j) wanted.push_back(1003 * j);
  std::ranges::sort(wanted);
  std::vector<float> left = start;
  for (const std::int32_t j : wanted) left[j] = 0;
  ASSERT_EQ(plan.entries, 300);
  const TypeParam backend = tested_backend<TypeParam>();
  SelectionMemory<TypeParam> memory(backend, 1, layout, {plan});
  for (int round = 0; round < 3; ++round) {
    Buffer<TypeParam, float> v(backend, 1, static_cast<int>(layout.row), start), value(backend, 1, 300);
    Buffer<TypeParam, std::int32_t> position(backend, 1, 300);
    topk_select(backend, memory, v.view(), {position.view(), value.view()});
    EXPECT_EQ(position.to_host(), wanted);
    EXPECT_EQ(v.to_host(), left);
  }
}

TEST(TopkSelect, SplitsEveryElementExactlyBetweenMessageAndRemainder) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{20000, 5, 999});
  const int row = static_cast<int>(layout.row);
  const Cpu cpu = tested_cpu(2);
  std::mt19937 generator(1);
  std::vector<float> start(2 * layout.row, 0.0f);
  for (int node = 0; node < 2; ++node) {
    for (const Segment& s : layout.segments) {
      for (std::int64_t j = 0; j < s.size; ++j) {
        start[node * layout.row + s.begin + j] = static_cast<float>(generator() % 1000) - 500;
      }
    }
  }
  const TopkPlan plan = make_topk_plan(layout, TopkScope::kGlobal, 0.03);
  Buffer<Cpu, float> v(cpu, 2, row, start), value(cpu, 2, static_cast<int>(plan.entries));
  Buffer<Cpu, std::int32_t> position(cpu, 2, static_cast<int>(plan.entries));
  SelectionMemory<Cpu> made(cpu, 2, layout, {plan}), memory = std::move(made);
  topk_select(cpu, memory, v.view(), {position.view(), value.view()});
  std::vector<float> sum = v.to_host();
  for (int node = 0; node < 2; ++node) {
    float smallest_sent = 1e9f, largest_left = 0;
    for (int j = 0; j < row; ++j) largest_left = std::max(largest_left, std::fabs(v.view().row(node)[j]));
    for (std::int64_t i = 0; i < plan.entries; ++i) {
      sum[node * row + position.view().row(node)[i]] += value.view().row(node)[i];
      smallest_sent = std::min(smallest_sent, std::fabs(value.view().row(node)[i]));
    }
    EXPECT_GE(smallest_sent, largest_left);
  }
  EXPECT_EQ(sum, start);
}

TEST(TopkSelect, RefusesShapesThatDoNotFit) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{8});
  const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, 0.5)};
  const Cpu cpu = tested_cpu(1);
  Buffer<Cpu, float> v(cpu, 2, 8), narrow(cpu, 2, 4), value(cpu, 2, 4), few_values(cpu, 2, 3);
  Buffer<Cpu, std::int32_t> position(cpu, 2, 4), one(cpu, 1, 4);
  const Messages messages{position.view(), value.view()};
  SelectionMemory<Cpu> memory(cpu, 2, layout, plans), other(cpu, 4, layout, plans);
  EXPECT_NO_THROW(topk_select(cpu, memory, v.view(), messages));
  EXPECT_THROW(topk_select(cpu, other, v.view(), messages), std::invalid_argument);
  EXPECT_THROW(topk_select(cpu, memory, narrow.view(), messages), std::invalid_argument);
  EXPECT_THROW(topk_select(cpu, memory, v.view(), {one.view(), value.view()}), std::invalid_argument);
  EXPECT_THROW(topk_select(cpu, memory, v.view(), {position.view(), few_values.view()}), std::invalid_argument);
  EXPECT_THROW((SelectionMemory<Cpu>(cpu, 3, layout, {plans[0], plans[0]})), std::invalid_argument);
  EXPECT_EQ(memory.plans().size(), 1u);
  EXPECT_EQ(memory.layout().params, 8);
}

TYPED_TEST(TopkSelectOn, TakesOnlyAsManyTiesAsLargerElementsLeave) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{6});
    const TopkPlan plan = make_topk_plan(layout, TopkScope::kLayer, 0.67);
    ASSERT_EQ(plan.entries, 4);
    const Buffer<TypeParam, float> v(backend, 1, 8, std::vector<float>{3, 1, -1, 1, 1, 2, 0, 0}), value(backend, 1, 6);
    const Buffer<TypeParam, std::int32_t> position(backend, 1, 6, std::vector<std::int32_t>(6, -1));
    SelectionMemory<TypeParam> memory(backend, 1, layout, {plan});
    topk_select(backend, memory, v.view(), {position.view(), value.view()});
    EXPECT_EQ(position.to_host(), (std::vector<std::int32_t>{0, 1, 2, 5, -1, -1}));
    EXPECT_EQ(v.to_host(), (std::vector<float>{0, 0, 0, 1, 1, 0, 0, 0}));
  });
}

TYPED_TEST(TopkSelectOn, NeverSelectsPaddingWithinALargeGroupOfZeros) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{5, 3, 9000, 2});  // 3, 1, 0 and 2 of padding
    const TopkPlan plan = make_topk_plan(layout, TopkScope::kGlobal, 0.5);
    const Buffer<TypeParam, float> v(backend, 1, static_cast<int>(layout.row)),
        value(backend, 1, static_cast<int>(plan.entries));
    const Buffer<TypeParam, std::int32_t> position(backend, 1, static_cast<int>(plan.entries));
    SelectionMemory<TypeParam> memory(backend, 1, layout, {plan});
    topk_select(backend, memory, v.view(), {position.view(), value.view()});
    std::vector<std::int32_t> first = {0, 1, 2, 3, 4, 8, 9, 10};
    for (int p = 12; std::ssize(first) < plan.entries; ++p) first.push_back(p);
    EXPECT_EQ(position.to_host(), first);
  });
}

}  // namespace
}  // namespace sparsepush
