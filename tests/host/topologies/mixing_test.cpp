#include "host/topologies/mixing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "data/files/input_error.h"

namespace sparsepush {
namespace {

constexpr double kRates[] = {1, 0.5, 0.25, 0x1p-10, 0.75, 1.0 / 3, 0.1, 0.01, 0.001, 1e-5, 0.999999};

// ceil(log2 eta) by counting.
int grid_bits(double eta) {
  int exponent = 0;
  while (std::ldexp(1.0, exponent - 1) >= eta) --exponent;
  return 24 - exponent;
}

TopologyRound round_of(const std::string& name, int nodes) {
  TopologyConfig config;
  config.name = name;
  return make_topology(config, nodes, 1).round(0);
}

std::vector<TopologyRound> rounds_to_try() {
  std::vector<TopologyRound> rounds;
  for (const char* name : {"directed_ring", "complete", "exponential", "random_out"})
    for (const int nodes : {3, 8, 33}) rounds.push_back(round_of(name, nodes));
  TopologyRound uneven{.edges = {}, .self_weight = std::vector<double>(5, 1)};
  for (int target = 0; target < 5; ++target)
    for (int source = 0; source < 5; ++source)
      if (source != target && source != 3)
        uneven.edges.push_back({source, target, 0.01 + 0.03 * (source + 2 * target)});
  rounds.push_back(uneven);
  return rounds;
}

TEST(MixingWeights, AreTheRoundedProductsOfTheirDefinition) {
  for (const TopologyRound& round : rounds_to_try())
    for (const double eta : kRates) {
      const MixingWeights weights = mixing_weights(round, eta, 0);
      ASSERT_EQ(weights.edge.size(), round.edges.size());
      ASSERT_EQ(weights.self.size(), round.self_weight.size());
      const double grid = std::ldexp(1.0, -grid_bits(eta));
      for (std::size_t e = 0; e < weights.edge.size(); ++e) {
        const double exact = eta * round.edges[e].weight;
        EXPECT_EQ(weights.edge[e], std::rint(exact / grid) * grid) << "eta " << eta;
        EXPECT_LE(weights.edge[e], exact + grid / 2);
      }
    }
}

TEST(MixingWeights, SumToZeroExactlyInEveryColumnAndOrder) {
  for (const TopologyRound& round : rounds_to_try())
    for (const double eta : kRates) {
      const MixingWeights weights = mixing_weights(round, eta, 0);
      for (std::size_t node = 0; node < weights.self.size(); ++node) {
        std::vector<float> column = {weights.self[node]};
        for (std::size_t e = 0; e < weights.edge.size(); ++e)
          if (round.edges[e].source == static_cast<int>(node)) column.push_back(weights.edge[e]);
        for (int order = 0; order < 4; ++order) {
          float sum = 0;
          double wide = 0;
          for (const float weight : column) {
            sum += weight;
            wide += weight;
          }
          EXPECT_EQ(sum, 0.0f) << "eta " << eta;
          EXPECT_EQ(wide, 0.0) << "eta " << eta;
          if (order == 0) std::ranges::sort(column);
          if (order == 1) std::ranges::reverse(column);
          if (order == 2) std::ranges::rotate(column, column.begin() + static_cast<std::ptrdiff_t>(column.size() / 2));
        }
      }
    }
}

TEST(MixingWeights, OfPowersOfTwoAreExact) {
  const TopologyRound ring = round_of("directed_ring", 4);
  for (int k = 0; k <= 60; ++k) {
    const MixingWeights weights = mixing_weights(ring, std::ldexp(1.0, -k), 0);
    EXPECT_EQ(weights.edge, std::vector<float>(4, std::ldexp(0.5f, -k)));
    EXPECT_EQ(weights.self, std::vector<float>(4, -std::ldexp(0.5f, -k)));
  }
}

TEST(MixingWeights, RoundTiesToEven) {
  const double unit = 0x1p-24;  // the grid of eta = 1
  const TopologyRound round{.edges = {{1, 0, 2.5 * unit}, {2, 0, 3.5 * unit}, {0, 1, 0.5 + unit / 2}},
                            .self_weight = {1, 1, 1}};
  const MixingWeights weights = mixing_weights(round, 1, 0);
  EXPECT_EQ(weights.edge, (std::vector<float>{2 * 0x1p-24f, 4 * 0x1p-24f, 0.5f}));
}

// Node 0 sends to five nodes, `units` grid units each, and nobody else sends.
TopologyRound star(const std::vector<double>& units, double unit) {
  TopologyRound round{.edges = {}, .self_weight = std::vector<double>(units.size() + 1, 1)};
  for (std::size_t i = 0; i < units.size(); ++i) round.edges.push_back({0, static_cast<int>(i) + 1, units[i] * unit});
  return round;
}

TEST(MixingWeights, AreRoundedDownWhereTheColumnWouldExceedTheGrid) {
  // Sum 2^24 - 1 as given; rounded to nearest 2^24 + 1.
  const std::vector<double> units = {3000000.6, 3000000.6, 3000000.6, 3000000.6, 4777212.6};
  const MixingWeights weights = mixing_weights(star(units, 0x1p-24), 1, 0);
  EXPECT_EQ(weights.edge, (std::vector<float>{3000000 * 0x1p-24f, 3000000 * 0x1p-24f, 3000000 * 0x1p-24f,
                                              3000000 * 0x1p-24f, 4777212 * 0x1p-24f}));
  EXPECT_EQ(weights.self[0], -static_cast<float>((4 * 3000000 + 4777212) * 0x1p-24));
}

TEST(MixingWeights, AreRoundedDownWhereTheColumnWouldExceedTheRate) {
  // eta = 0.75 is 12582912 units of 2^-24; nearest sums to one more.
  const double unit = 0x1p-24 / 0.75;
  const std::vector<double> units = {3000000.6, 3000000.6, 3000000.6, 3582909.6};
  const MixingWeights weights = mixing_weights(star(units, unit), 0.75, 0);
  EXPECT_EQ(weights.edge[0], 3000000 * 0x1p-24f);
  EXPECT_EQ(weights.edge[3], 3582909 * 0x1p-24f);
  EXPECT_GE(weights.self[0], -0.75f);
  const MixingWeights nearest = mixing_weights(star({3000000.6, 3000000.6}, unit), 0.75, 0);
  EXPECT_EQ(nearest.edge[0], 3000001 * 0x1p-24f) << "a column that fits is rounded to nearest";
}

TEST(MixingWeights, AreRoundedToNearestWhereTheColumnJustFits) {
  const MixingWeights weights = mixing_weights(star({8388607.6, 8388608.4}, 0x1p-24), 1, 0);
  EXPECT_EQ(weights.edge, (std::vector<float>{0.5f, 0.5f}));
  EXPECT_EQ(weights.self[0], -1.0f);
}

TEST(MixingWeights, RoundDownColumnByColumn) {
  const double unit = 0x1p-24;
  TopologyRound round = star({3000000.6, 3000000.6, 3000000.6, 3000000.6, 4777212.6}, unit);
  round.edges.push_back({1, 5, 7.6 * unit});
  const MixingWeights weights = mixing_weights(round, 1, 0);
  EXPECT_EQ(weights.edge[0], 3000000 * 0x1p-24f);
  EXPECT_EQ(weights.edge[5], 8 * 0x1p-24f);
}

TEST(MixingWeights, ThatBecomeZeroAreErrorsWithEdgeAndRound) {
  const TopologyRound round{.edges = {{2, 1, 0.4 * 0x1p-24}}, .self_weight = {1, 1, 1}};
  try {
    mixing_weights(round, 1, 17);
    FAIL();
  } catch (const InputError& e) {
    const std::string line = e.what();
    EXPECT_TRUE(line.starts_with("round 17: ")) << line;
    EXPECT_NE(line.find("edge 2 -> 1"), std::string::npos) << line;
    EXPECT_NE(line.find("2^-24"), std::string::npos) << line;
  }
  const TopologyRound ring = round_of("directed_ring", 3);
  EXPECT_THROW(mixing_weights(ring, 1e-40, 0), InputError) << "the grid would be finer than floats";
  EXPECT_NO_THROW(mixing_weights(ring, 0x1p-125, 0));
}

TEST(MixingWeights, OfANodeWithoutOutEdgesKeepEverything) {
  const MixingWeights weights = mixing_weights({.edges = {{0, 1, 0.5}}, .self_weight = {0.5, 1}}, 1, 0);
  EXPECT_EQ(weights.self, (std::vector<float>{-0.5f, 0.0f}));
}

TEST(MixingWeights, RefuseRatesOutsideTheirRange) {
  const TopologyRound ring = round_of("directed_ring", 3);
  for (const double eta : {0.0, -0.1, 1.1, std::nan("")})
    EXPECT_THROW(mixing_weights(ring, eta, 0), std::invalid_argument);
}

TEST(MixingWeights, RefuseNodesThatSendMoreThanTheyHave) {
  EXPECT_EQ(mixing_weights({.edges = {{0, 1, 0.5}, {0, 2, 0.5}}, .self_weight = {0, 1, 1}}, 1, 0).self[0], -1.0f);
  const TopologyRound more{.edges = {{0, 1, 0.5}, {0, 2, 0.51}}, .self_weight = {0, 1, 1}};
  EXPECT_THROW(mixing_weights(more, 1, 0), std::invalid_argument);
}

TEST(MixingWeights, OfManyOutEdgesStayWithinOne) {
  const TopologyRound complete = round_of("complete", 300);
  for (const double eta : kRates) {
    const MixingWeights weights = mixing_weights(complete, eta, 0);
    for (const float self : weights.self) EXPECT_GE(self, -eta);
  }
}

}  // namespace
}  // namespace sparsepush
