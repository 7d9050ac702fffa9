#include "kernels/backend/random.h"

#include <gtest/gtest.h>

#include <vector>

namespace sparsepush {
namespace {

TEST(Philox, MatchesTheKnownAnswersOfItsAuthors) {  // kat_vectors of the Random123 distribution
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox({ones, ones, ones, ones}, {ones, ones}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomPermutation, VisitsEveryItemOnce) {
  for (std::uint32_t count : {1u, 2u, 3u, 4u, 5u, 16u, 17u, 187u, 1000u, 4097u}) {
    std::vector<int> visits(count, 0);
    for (std::uint32_t i = 0; i < count; ++i)
      ++visits[random_permutation({.seed = 7, .purpose = Purpose::kShuffle}, i, count)];
    EXPECT_EQ(visits, std::vector<int>(count, 1)) << count;
  }
}

TEST(RandomPermutation, DiffersBetweenPassesAndNodes) {
  const auto order = [](std::uint64_t node, std::uint64_t pass) {
    std::vector<std::uint32_t> items;
    for (std::uint32_t i = 0; i < 50; ++i)
      items.push_back(random_permutation({.seed = 1, .purpose = Purpose::kShuffle, .node = node, .step = pass}, i, 50));
    return items;
  };
  EXPECT_NE(order(0, 0), order(0, 1));
  EXPECT_NE(order(0, 0), order(1, 0));
}

TEST(RandomPermutation, PutsEveryItemEverywhereAboutEquallyOften) {
  constexpr int kCount = 10, kPasses = 20000;
  int seen[kCount][kCount] = {};
  for (std::uint64_t pass = 0; pass < kPasses; ++pass)
    for (std::uint32_t i = 0; i < kCount; ++i)
      ++seen[i][random_permutation({.seed = 3, .purpose = Purpose::kShuffle, .step = pass}, i, kCount)];
  for (const auto& row : seen)
    for (const int n : row) EXPECT_NEAR(n, kPasses / kCount, 6 * 45);  // six standard deviations
}

TEST(RandomUniform, HasTheMeanAndRangeOfAUniform) {
  double sum = 0;
  for (std::uint64_t i = 0; i < 100000; ++i) {
    const double v = random_uniform({.seed = 5, .purpose = Purpose::kInitialize, .index = i});
    ASSERT_GE(v, 0);
    ASSERT_LT(v, 1);
    sum += v;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);
}

TEST(RandomUniform, IsTheFirst53Bits) {
  for (std::uint64_t i = 0; i < 100; ++i) {
    const Draw draw{.seed = 1ull << 40 | 5, .purpose = Purpose::kPartition, .node = 3, .step = 4, .index = i};
    const PhiloxBlock bits = random_bits(draw);
    EXPECT_EQ(bits, philox({static_cast<std::uint32_t>(i), 4, 3, 2}, {5, 256}));
    EXPECT_EQ(random_uniform(draw), bits[0] * 0x1p-32 + (bits[1] >> 11) * 0x1p-53);
    EXPECT_EQ(random_below(draw, 1ull << 40), std::uint64_t{bits[0]} << 8 | bits[1] >> 24);
  }
}

TEST(RandomBelow, StaysBelowItsBound) {
  for (std::uint64_t i = 0; i < 1000; ++i) {
    EXPECT_LT(random_below({.seed = 5, .purpose = Purpose::kPartition, .index = i}, 3), 3u);
    EXPECT_EQ(random_below({.seed = 5, .purpose = Purpose::kPartition, .index = i}, 1), 0u);
  }
}

}  // namespace
}  // namespace sparsepush
