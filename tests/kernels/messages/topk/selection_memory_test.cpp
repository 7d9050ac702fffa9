#include "kernels/messages/topk/selection_memory.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/backend/float_bits.h"
#include "kernels/messages/topk/cpu_selection.h"
#include "kernels/messages/topk/topk_select.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

/// The magnitude that a selection of 100 of 1000 elements starts from.
float start_of(const Warmth& warmth) {
  return std::bit_cast<float>(warm_start(warmth, {.size = 1000, .entries = 100}));
}

TEST(Warmth, StartsJustBelowAThresholdThatStays) {
  Warmth warmth;
  EXPECT_EQ(start_of(warmth), 0) << "cold at first";
  learn(warmth, magnitude_key(2));
  EXPECT_GT(start_of(warmth), 1);
  for (int round = 0; round < 100; ++round) learn(warmth, magnitude_key(2));
  EXPECT_LT(start_of(warmth), 2);
  EXPECT_GT(start_of(warmth), 1.9f);
}

TEST(Warmth, BelievesAFallAtOnceAndARiseByAndBy) {
  Warmth warmth;
  for (int round = 0; round < 100; ++round) learn(warmth, magnitude_key(2));
  learn(warmth, magnitude_key(1.6f));
  EXPECT_NEAR(start_of(warmth), 1.6f * (1 - 0.2f), 0.02f) << "it may fall by a fifth again";
  learn(warmth, magnitude_key(1.6f));
  EXPECT_LT(start_of(warmth), 1.6f * (1 - 0.15f));
  for (float now = 2; now < 4; now *= 1.01f) learn(warmth, magnitude_key(now));
  EXPECT_GT(start_of(warmth), warmth.threshold * 0.99f);
}

TEST(Warmth, OfSmallGroupsAndDivergedNodesIsNoWarmth) {
  EXPECT_EQ(warm_start({.threshold = 2}, {.size = 256, .entries = 3}), 0u);
  EXPECT_GT(warm_start({.threshold = 2}, {.size = 257, .entries = 3}), 0u);
  Warmth warmth{.threshold = 2};
  learn(warmth, magnitude_key(std::nanf("")));
  learn(warmth, magnitude_key(2));
  EXPECT_LT(start_of(warmth), 1.5f);
  EXPECT_GT(start_of(warmth), 1);
}

TEST(SelectionMemory, HoldsTheThresholdOfEveryNodeAndGroup) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{1000, 2000});
  const Cpu cpu = tested_cpu(1);
  Buffer<Cpu, float> v(cpu, 2, 3000), value(cpu, 2, 3);
  Buffer<Cpu, std::int32_t> position(cpu, 2, 3);
  for (int j = 0; j < 6000; ++j) v.span()[j] = static_cast<float>(j);
  SelectionMemory<Cpu> memory(cpu, 2, layout, {make_topk_plan(layout, TopkScope::kLayer, 0.001)});
  topk_select(cpu, memory, v.view(), {position.view(), value.view()});
  const std::vector<float> smallest = {999, 2998, 3999, 5998};  // of 1 and 2 entries
  for (int i = 0; i < 4; ++i) {
    const float threshold = memory.contents().warmth[i].threshold;
    EXPECT_LE(threshold, smallest[i]);
    EXPECT_GT(threshold, smallest[i] - 1);
  }
}

}  // namespace
}  // namespace sparsepush
