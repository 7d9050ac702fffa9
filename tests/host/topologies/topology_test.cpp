#include "host/topologies/topology.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/files/input_error.h"

namespace sparsepush {
namespace {

using Pairs = std::set<std::pair<int, int>>;

Topology make(const std::string& name, int nodes, int degree = 2, bool redraw = false, std::uint64_t seed = 1) {
  return make_topology({.name = name, .degree = degree, .redraw = redraw, .weights = "uniform", .file = ""}, nodes,
                       seed);
}

TopologyConfig config_of(const std::string& name) {
  TopologyConfig config;
  config.name = name;
  return config;
}

Pairs pairs(const TopologyRound& round) {
  Pairs found;
  for (const Edge& edge : round.edges) found.emplace(edge.source, edge.target);
  EXPECT_EQ(found.size(), round.edges.size()) << "duplicate edges";
  return found;
}

// Every promise about a round, by the definition.
void expect_valid(const TopologyRound& round, int nodes, const std::string& what) {
  ASSERT_EQ(round.self_weight.size(), static_cast<std::size_t>(nodes)) << what;
  std::vector<double> column = round.self_weight;
  std::vector<int> out(nodes, 0);
  for (std::size_t e = 0; e < round.edges.size(); ++e) {
    const Edge& edge = round.edges[e];
    ASSERT_TRUE(edge.source >= 0 && edge.source < nodes && edge.target >= 0 && edge.target < nodes) << what;
    ASSERT_NE(edge.source, edge.target) << what;
    if (e > 0) {
      const Edge& before = round.edges[e - 1];
      ASSERT_TRUE(std::pair(before.target, before.source) < std::pair(edge.target, edge.source)) << what;
    }
    column[edge.source] += edge.weight;
    ++out[edge.source];
  }
  for (const Edge& edge : round.edges) ASSERT_EQ(edge.weight, 1.0 / (out[edge.source] + 1)) << what;
  for (int node = 0; node < nodes; ++node) {
    ASSERT_EQ(round.self_weight[node], 1.0 / (out[node] + 1)) << what;
    ASSERT_NEAR(column[node], 1, 1e-12) << what;
  }
}

TEST(Topology, EveryRoundIsOrderedUniformAndColumnStochastic) {
  for (const std::string name : {"directed_ring", "complete", "exponential", "one_peer_exponential", "random_out"})
    for (const int nodes : {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33}) {
      if (name == "random_out" && nodes < 3) continue;
      const Topology topology = make(name, nodes);
      EXPECT_EQ(topology.nodes(), nodes);
      for (std::int64_t t = 0; t < 2 * topology.period(); ++t)
        expect_valid(topology.round(t), nodes, name + " " + std::to_string(nodes));
      EXPECT_NO_THROW(check_strongly_connected(topology, 1)) << name << nodes;
    }
}

TEST(Topology, DirectedRingSendsToTheNextNode) {
  const Topology topology = make("directed_ring", 4);
  EXPECT_EQ(pairs(topology.round(0)), (Pairs{{0, 1}, {1, 2}, {2, 3}, {3, 0}}));
  EXPECT_EQ(topology.period(), 1);
  EXPECT_TRUE(make("directed_ring", 1).round(5).edges.empty()) << "a ring of one node has no edges";
}

TEST(Topology, CompleteSendsToEveryOtherNode) {
  EXPECT_EQ(pairs(make("complete", 3).round(0)), (Pairs{{0, 1}, {0, 2}, {1, 0}, {1, 2}, {2, 0}, {2, 1}}));
}

TEST(Topology, ExponentialSendsToDistancesThatArePowersOfTwoBelowNodes) {
  for (const int nodes : {2, 3, 4, 5, 8, 9, 31, 32, 33}) {
    Pairs expected;
    for (int node = 0; node < nodes; ++node)
      for (int offset = 1; offset < nodes; offset *= 2) expected.emplace(node, (node + offset) % nodes);
    EXPECT_EQ(pairs(make("exponential", nodes).round(0)), expected) << nodes;
  }
}

TEST(Topology, OnePeerExponentialTakesTheDistancesInTurn) {
  for (const auto& [nodes, period] :
       std::vector<std::pair<int, int>>{{1, 1}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {8, 3}, {9, 4}}) {
    const Topology topology = make("one_peer_exponential", nodes);
    EXPECT_EQ(topology.period(), period) << nodes;
    for (int t = 0; t < 3 * period && nodes > 1; ++t) {
      Pairs expected;
      for (int node = 0; node < nodes; ++node) expected.emplace(node, (node + (1 << (t % period))) % nodes);
      EXPECT_EQ(pairs(topology.round(t)), expected) << nodes << " round " << t;
    }
  }
}

TEST(Topology, ThreeRingsTakeTurns) {
  const Topology topology = make("three_rings", 4);
  ASSERT_EQ(topology.period(), 3);
  EXPECT_EQ(pairs(topology.round(0)), (Pairs{{0, 1}, {1, 2}, {2, 3}, {3, 0}}));
  EXPECT_EQ(pairs(topology.round(1)), (Pairs{{0, 3}, {3, 2}, {2, 1}, {1, 0}}));
  EXPECT_EQ(pairs(topology.round(2)), (Pairs{{0, 2}, {2, 1}, {1, 3}, {3, 0}}));
  EXPECT_EQ(pairs(topology.round(3)), pairs(topology.round(0)));
  for (int t = 0; t < 3; ++t) expect_valid(topology.round(t), 4, "three_rings");
  EXPECT_TRUE(push_sum_is_idle(topology));
  EXPECT_THROW(make("three_rings", 5), InputError);
}

TEST(RandomOut, HasItsDegreeAndACycleThroughAllNodes) {
  for (const int nodes : {2, 3, 5, 64, 257})
    for (const int degree : {1, 2, 3, nodes - 2, nodes - 1}) {
      if (degree < 1 || degree >= nodes) continue;
      const TopologyRound round = make("random_out", nodes, degree).round(0);
      expect_valid(round, nodes, std::to_string(nodes) + " degree " + std::to_string(degree));
      EXPECT_EQ(round.edges.size(), static_cast<std::size_t>(nodes) * degree);
    }
  // With degree 1 only the cycle is left: following it visits every node.
  const TopologyRound cycle = make("random_out", 257, 1).round(0);
  std::vector<int> next(257, -1);
  for (const Edge& edge : cycle.edges) next[edge.source] = edge.target;
  std::set<int> visited;
  for (int node = 0, i = 0; i < 257; ++i, node = next[node]) visited.insert(node);
  EXPECT_EQ(visited.size(), 257u);
}

TEST(RandomOut, ContainsTheCycleAtEveryDegree) {
  const Pairs cycle = pairs(make("random_out", 20, 1).round(0));
  for (const int degree : {2, 5, 19}) {
    const Pairs all = pairs(make("random_out", 20, degree).round(0));
    EXPECT_TRUE(std::ranges::includes(all, cycle)) << degree;
  }
}

TEST(RandomOut, IsAFunctionOfSeedAndRound) {
  const Topology first = make("random_out", 50, 3, true, 7), again = make("random_out", 50, 3, true, 7);
  EXPECT_EQ(first.period(), 0);
  EXPECT_EQ(pairs(first.round(9)), pairs(again.round(9)));
  EXPECT_NE(pairs(first.round(9)), pairs(first.round(10)));
  EXPECT_NE(pairs(first.round(9)), pairs(make("random_out", 50, 3, true, 8).round(9)));
  const Topology fixed = make("random_out", 50, 3, false, 7);
  EXPECT_EQ(fixed.period(), 1);
  EXPECT_EQ(pairs(fixed.round(9)), pairs(fixed.round(0)));
}

TEST(RandomOut, ChoosesEveryPeerAboutEquallyOften) {
  constexpr int kNodes = 6, kRounds = 6000;
  const Topology topology = make("random_out", kNodes, 3, true);
  int count[kNodes][kNodes] = {};
  for (int t = 0; t < kRounds; ++t)
    for (const Edge& edge : topology.round(t).edges) ++count[edge.source][edge.target];
  const double expected = kRounds * 3.0 / 5;  // three of the five others
  for (int j = 0; j < kNodes; ++j)
    for (int i = 0; i < kNodes; ++i) {
      const double others = i == j ? 0 : expected;
      EXPECT_NEAR(count[j][i], others, 6 * std::sqrt(kRounds * 0.6 * 0.4)) << j << " -> " << i;
    }
}

TEST(Topology, OnlyRandomOnesDependOnTheSeed) {
  EXPECT_TRUE(depends_on_seed(config_of("random_out")));
  for (const char* name : {"directed_ring", "complete", "exponential", "one_peer_exponential", "file"})
    EXPECT_FALSE(depends_on_seed(config_of(name))) << name;
}

TEST(Topology, RefusesWhatItCannotBuild) {
  EXPECT_THROW(make("random_out", 3, 3), InputError);
  EXPECT_THROW(make("random_out", 3, 0), InputError);
  EXPECT_THROW(make("random_out", 1, 1), InputError);
  EXPECT_THROW(make("moebius", 9), InputError);
  EXPECT_THROW(make("complete", 1000000), InputError) << "10^12 edges";
  EXPECT_THROW(make("random_out", 1000000, 999999), InputError);
  EXPECT_THROW(make("directed_ring", 4).round(-1), std::invalid_argument);
}

TEST(Topology, IsConnectedWhenRedrawn) {
  EXPECT_NO_THROW(check_strongly_connected(make("random_out", 100, 1, true), 1));
  EXPECT_NO_THROW(check_strongly_connected(make("random_out", 100, 1, true), 1'000'000'000)) << "stops early";
}

TEST(Topology, BuildsManyNodesInLinearMemory) {
  const Topology topology = make("random_out", 100000, 2, true);
  const TopologyRound round = topology.round(3);
  EXPECT_EQ(round.edges.size(), 200000u);
  expect_valid(round, 100000, "many");
  EXPECT_EQ(make("one_peer_exponential", 100000).period(), 17);
}

}  // namespace
}  // namespace sparsepush
