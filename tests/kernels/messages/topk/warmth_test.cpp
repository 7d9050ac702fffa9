#include "kernels/messages/topk/warmth.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "kernels/backend/float_bits.h"
#include "kernels/messages/topk/cpu_selection.h"

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

}  // namespace
}  // namespace sparsepush
