#include "host/topologies/base_graph.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "host/topologies/mixing.h"
#include "kernels/backend/random.h"
#include "tests/data/error_of.h"

namespace sparsepush {
namespace {

using Row = std::map<int, std::set<int>>;

// Who is joined to whom.
Row neighbours(const TopologyRound& round) {
  Row joined;
  for (const Edge& edge : round.edges) joined[edge.source].insert(edge.target);
  return joined;
}

// x_i += sum w_ij x_j over a round, by the grid's weights in fp32, as the mixing ops do it.
void gossip(const TopologyRound& round, std::int64_t t, std::vector<float>& x) {
  const MixingWeights weights = mixing_weights(round, 1, t);
  const std::vector<float> before = x;
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::fma(weights.self[i], before[i], x[i]);
  for (std::size_t e = 0; e < round.edges.size(); ++e) {
    float& to = x[round.edges[e].target];
    to = std::fma(weights.edge[e], before[round.edges[e].source], to);
  }
}

TEST(BaseGraph, AllNodesHaveTheMeanAfterOnePeriod) {
  for (int degree = 1; degree <= 3; ++degree)
    for (int nodes = 2; nodes <= 33; ++nodes) {
      std::vector<float> x;
      double sum = 0;
      for (int i = 0; i < nodes; ++i) {
        const Draw draw{.seed = 3, .purpose = Purpose::kTopology, .node = static_cast<std::uint64_t>(i)};
        sum += x.emplace_back(static_cast<float>(2 * random_uniform(draw) - 1));
      }
      const auto rounds = base_graph_rounds(nodes, degree);
      for (std::size_t t = 0; t < rounds.size(); ++t) gossip(rounds[t], static_cast<std::int64_t>(t), x);
      for (const float value : x) EXPECT_NEAR(value, sum / nodes, 2e-7) << nodes << " nodes, degree " << degree;
    }
}

TEST(BaseGraph, WeightsAreSymmetricAndNodesHaveFewNeighbours) {
  for (int degree = 1; degree <= 4; ++degree)
    for (const int nodes : {2, 3, 5, 6, 7, 11, 22, 33, 47, 100}) {
      const auto rounds = base_graph_rounds(nodes, degree);
      EXPECT_LE(static_cast<double>(rounds.size()), 2 * std::log(nodes) / std::log(degree + 1) + 2) << nodes;
      for (const TopologyRound& round : rounds) {
        std::map<std::pair<int, int>, double> weight;
        std::vector<double> column = round.self_weight;
        for (const Edge& edge : round.edges) {
          EXPECT_TRUE(weight.emplace(std::pair(edge.source, edge.target), edge.weight).second) << "a duplicate";
          EXPECT_NE(edge.source, edge.target);
          column[edge.source] += edge.weight;
        }
        for (const auto& [ends, p] : weight) EXPECT_EQ(weight.at({ends.second, ends.first}), p);
        for (const double sum : column) EXPECT_NEAR(sum, 1, 1e-12);
        for (const double self : round.self_weight) EXPECT_GT(self, 0);
        for (const auto& [node, others] : neighbours(round)) EXPECT_LE(std::ssize(others), degree) << nodes;
      }
    }
}

TEST(BaseGraph, OfAPowerIsTheHypercube) {
  const auto rounds = base_graph_rounds(8, 1);
  ASSERT_EQ(rounds.size(), 3u);
  for (int t = 0; t < 3; ++t)
    for (int node = 0; node < 8; ++node) EXPECT_EQ(neighbours(rounds[t])[node], std::set<int>{node ^ (1 << t)});
  EXPECT_EQ(base_graph_rounds(9, 2).size(), 2u);
  EXPECT_EQ(base_graph_rounds(7, 6).size(), 1u) << "all at once";
}

// 5 = 4 + 1 in base 2: the four take their mean, one of them meets the fifth, and the four take it again.
TEST(BaseGraph, OfFiveNodesIsTheOneOfThePaper) {
  const auto rounds = base_graph_rounds(5, 1);
  ASSERT_EQ(rounds.size(), 5u);
  EXPECT_EQ(neighbours(rounds[0]), (Row{{0, {1}}, {1, {0}}, {2, {3}}, {3, {2}}}));
  EXPECT_EQ(neighbours(rounds[1]), (Row{{0, {2}}, {2, {0}}, {1, {3}}, {3, {1}}}));
  EXPECT_EQ(neighbours(rounds[2]), (Row{{4, {3}}, {3, {4}}, {0, {1}}, {1, {0}}}));
  EXPECT_NEAR(rounds[2].self_weight[4], 0.2, 1e-15);
  EXPECT_EQ(neighbours(rounds[3]), neighbours(rounds[0]));
  EXPECT_EQ(neighbours(rounds[4]), neighbours(rounds[1]));
}

TEST(BaseGraph, IsFasterThanItsSimpleFormWhereGroupsAreAlike) {
  EXPECT_EQ(base_graph_rounds(6, 1).size(), 4u) << "two groups of three, then pairs across: 3 + 1";
  EXPECT_TRUE(base_graph_rounds(1, 1).front().edges.empty());
}

TEST(BaseGraph, NeedsADegreeBelowTheNumberOfNodes) {
  TopologyConfig config;
  config.name = "base_graph";
  config.degree = 5;
  EXPECT_EQ(error_of([&] { make_topology(config, 5, 1); }),
            "topology.degree: expected 1 <= degree < run.nodes with base_graph, got degree 5 for 5 nodes");
  config.degree = 4;
  EXPECT_EQ(make_topology(config, 5, 1).period(), 1);
  config.degree = 1;
  EXPECT_EQ(make_topology(config, 1, 1).round(0).self_weight, std::vector<double>{1});
  EXPECT_TRUE(push_sum_is_idle(make_topology(config, 7, 1)));
  EXPECT_EQ(mixing_speed(make_topology(config, 7, 1)).rho < 1e-3, true) << "nothing is left but rounding";
}

}  // namespace
}  // namespace sparsepush
