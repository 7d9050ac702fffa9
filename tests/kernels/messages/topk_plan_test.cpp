#include "kernels/messages/topk_plan.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "tests/kernels/model_layouts.h"

namespace sparsepush {
namespace {

std::vector<std::int64_t> entries_of(const TopkPlan& plan) {
  std::vector<std::int64_t> entries;
  for (const TopkGroup& group : plan.groups) entries.push_back(group.entries);
  return entries;
}

TEST(TopkPlan, KeepsTheFloorOfEverySegmentButAtLeastOne) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{1, 99, 100, 199, 200, 1000});
  EXPECT_EQ(entries_of(make_topk_plan(layout, TopkScope::kLayer, 0.01)),
            (std::vector<std::int64_t>{1, 1, 1, 1, 2, 10}));
  EXPECT_EQ(entries_of(make_topk_plan(layout, TopkScope::kLayer, 1)),
            (std::vector<std::int64_t>{1, 99, 100, 199, 200, 1000}));
}

TEST(TopkPlan, DoesNotLoseAnEntryToRoundingOfTheProduct) {
  for (std::int64_t size = 100; size <= 100000; size += 100) {
    const RowLayout one = make_row_layout(std::vector<std::int64_t>{size});
    EXPECT_EQ(make_topk_plan(one, TopkScope::kLayer, 0.01).entries, size / 100) << size;
    EXPECT_EQ(make_topk_plan(one, TopkScope::kLayer, 0.07).entries, size * 7 / 100) << size;
  }
}

TEST(TopkPlan, CountsResNet20AsPublished) {
  const RowLayout layout = make_row_layout(resnet20_sizes());
  EXPECT_EQ(layout.params, 269722);
  EXPECT_EQ(make_topk_plan(layout, TopkScope::kLayer, 0.1).entries, 26948);
  EXPECT_EQ(make_topk_plan(layout, TopkScope::kLayer, 0.01).entries, 2717);
  EXPECT_EQ(make_topk_plan(layout, TopkScope::kLayer, 0.001).entries, 300);
}

TEST(TopkPlan, LaysMessagesOfGroupsOneAfterTheOther) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{10, 30, 20});
  const TopkPlan plan = make_topk_plan(layout, TopkScope::kLayer, 0.1);
  ASSERT_EQ(plan.groups.size(), 3u);
  EXPECT_EQ(plan.groups[1].message_begin, 1);
  EXPECT_EQ(plan.groups[2].message_begin, 4);
  EXPECT_EQ(plan.groups[2].first_segment, 2);
  EXPECT_EQ(plan.groups[2].last_segment, 3);
  EXPECT_EQ(plan.entries, 6);
}

TEST(TopkPlan, SelectsOnceFromTheWholeRowInGlobalScope) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{10, 33, 20});  // 63 elements in a row of 68
  const TopkPlan plan = make_topk_plan(layout, TopkScope::kGlobal, 0.5);
  ASSERT_EQ(plan.groups.size(), 1u);
  EXPECT_EQ(plan.groups[0].size, 63);
  EXPECT_EQ(plan.groups[0].last_segment, 3);
  EXPECT_EQ(plan.entries, 31);
}

TEST(TopkPlan, RefusesAKeepOutsideOfZeroToOne) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{10});
  for (const double keep : {0.0, -0.1, 1.0001}) {
    EXPECT_THROW(make_topk_plan(layout, TopkScope::kLayer, keep), std::invalid_argument) << keep;
  }
}

}  // namespace
}  // namespace sparsepush
