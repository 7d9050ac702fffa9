#include "host/topologies/undirected.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>
#include <utility>
#include <vector>

#include "host/config/config.h"
#include "host/topologies/edge_lists.h"
#include "host/topologies/mixing.h"
#include "kernels/backend/random.h"
#include "tests/data/error_of.h"

namespace sparsepush {
namespace {

using Pairs = std::set<std::pair<int, int>>;

Pairs pairs(const TopologyRound& round) {
  Pairs found;
  for (const Edge& edge : round.edges) found.emplace(edge.source, edge.target);
  EXPECT_EQ(found.size(), round.edges.size()) << "duplicate edges";
  return found;
}

Pairs undirected(const Pairs& edges) {
  Pairs all = edges;
  for (const auto& [a, b] : edges) all.emplace(b, a);
  return all;
}

TopologyConfig named(const std::string& name) {
  TopologyConfig config;
  config.name = name;
  config.degree = topology_kind(config).default_degree;
  return config;
}

TopologyRound round_of(const TopologyConfig& config, int nodes, std::uint64_t seed = 1) {
  return make_topology(config, nodes, seed).round(0);
}

double rho_of(const std::string& name, int nodes, const std::string& weights = "uniform") {
  TopologyConfig config = named(name);
  config.weights = weights;
  return mixing_speed(make_topology(config, nodes, 1)).rho;
}

std::vector<int> degrees(const TopologyRound& round) {
  std::vector<int> degree(round.self_weight.size(), 0);
  for (const Edge& edge : round.edges) ++degree[edge.source];
  return degree;
}

TEST(Undirected, FixedOnesHaveTheirEdges) {
  EXPECT_EQ(pairs(round_of(named("ring"), 4)), undirected({{0, 1}, {1, 2}, {2, 3}, {3, 0}}));
  EXPECT_EQ(pairs(round_of(named("ring"), 2)), undirected({{0, 1}}));
  EXPECT_EQ(pairs(round_of(named("star"), 4)), undirected({{0, 1}, {0, 2}, {0, 3}}));
  EXPECT_EQ(pairs(round_of(named("torus"), 4)), undirected({{0, 1}, {2, 3}, {0, 2}, {1, 3}}));
  EXPECT_EQ(pairs(round_of(named("torus"), 6)),
            undirected({{0, 1}, {1, 2}, {2, 0}, {3, 4}, {4, 5}, {5, 3}, {0, 3}, {1, 4}, {2, 5}}))
      << "2 x 3";
  TopologyConfig three_rows = named("torus");
  three_rows.rows = 3;
  EXPECT_EQ(pairs(round_of(three_rows, 6)),
            undirected({{0, 2}, {2, 4}, {4, 0}, {1, 3}, {3, 5}, {5, 1}, {0, 1}, {2, 3}, {4, 5}}));
  for (const char* name : {"ring", "star", "torus", "erdos_renyi", "random_regular", "small_world", "geometric"})
    EXPECT_TRUE(round_of(named(name), 1).edges.empty()) << name;
}

TEST(Undirected, MixesAsItsEigenvaluesSay) {
  const double pi = std::numbers::pi;
  for (const int nodes : {3, 8, 31}) EXPECT_NEAR(rho_of("ring", nodes), (1 + 2 * std::cos(2 * pi / nodes)) / 3, 1e-9);
  for (const int nodes : {3, 8, 31}) EXPECT_NEAR(rho_of("star", nodes, "metropolis"), 1 - 1.0 / nodes, 1e-9);
  for (const int side : {4, 5, 8})
    EXPECT_NEAR(rho_of("torus", side * side), (3 + 2 * std::cos(2 * pi / side)) / 5, 1e-9);
}

TEST(Undirected, MetropolisWeightsAreSymmetricAndDoublyStochastic) {
  for (const char* name :
       {"ring", "star", "torus", "random_regular", "small_world", "geometric", "complete", "random_matching"}) {
    TopologyConfig config = named(name);
    config.weights = "metropolis";
    const Topology topology = make_topology(config, 12, 3);
    EXPECT_TRUE(push_sum_is_idle(topology)) << name;
    const TopologyRound round = topology.round(0);
    const std::vector<int> degree = degrees(round);
    std::vector<double> column = round.self_weight;
    for (const Edge& edge : round.edges) {
      EXPECT_EQ(edge.weight, 1.0 / (1 + std::max(degree[edge.source], degree[edge.target])));
      column[edge.source] += edge.weight;
    }
    for (const double sum : column) EXPECT_NEAR(sum, 1, 1e-12) << name;
  }
  TopologyConfig directed = named("directed_ring");
  directed.weights = "metropolis";
  EXPECT_EQ(error_of([&] { make_topology(directed, 3, 1); }),
            "topology.weights: \"metropolis\" is for edges that lead both ways; in round 0 of directed_ring there is "
            "2 -> 0 without 0 -> 2");
  make_topology(directed, 2, 1);  // whose two edges are each other's reverse
}

TEST(Undirected, RandomOnesAreConnectedAndFollowFromTheSeed) {
  for (const char* name : {"random_regular", "erdos_renyi", "small_world", "geometric"})
    for (const int nodes : {8, 20, 50}) {
      const TopologyRound round = round_of(named(name), nodes, 7);
      const Pairs edges = pairs(round);
      EXPECT_EQ(edges, pairs(round_of(named(name), nodes, 7))) << name;
      EXPECT_NE(edges, pairs(round_of(named(name), nodes, 8))) << name;
      EXPECT_EQ(first_unreached(nodes, {edges.begin(), edges.end()}, false), -1) << name;
      EXPECT_EQ(first_unreached(nodes, {edges.begin(), edges.end()}, true), -1) << name;
      EXPECT_TRUE(name == std::string("erdos_renyi") || edges == undirected(edges)) << name;
    }
}

TEST(RandomMatching, EveryNodeIsInAtMostOnePairOfARound) {
  for (const int nodes : {1, 2, 3, 8, 9, 50}) {
    const Topology topology = make_topology(named("random_matching"), nodes, 7);
    EXPECT_EQ(topology.period(), 0);
    for (int t = 0; t < 20; ++t) {
      const TopologyRound round = topology.round(t);
      const Pairs edges = pairs(round);
      EXPECT_EQ(edges, undirected(edges));
      EXPECT_EQ(std::ssize(edges), nodes / 2 * 2);
      for (const int degree : degrees(round)) EXPECT_LE(degree, 1);
      for (const Edge& edge : round.edges) EXPECT_EQ(edge.weight, 0.5);
      EXPECT_EQ(edges, pairs(make_topology(named("random_matching"), nodes, 7).round(t)));
      const Draw order{
          .seed = 7, .purpose = Purpose::kTopology, .node = 0xffff'ffff, .step = static_cast<std::uint64_t>(t)};
      for (int k = 0; 2 * k + 1 < nodes; ++k)
        EXPECT_TRUE(edges.contains({static_cast<int>(random_permutation(order, 2 * k, nodes)),
                                    static_cast<int>(random_permutation(order, 2 * k + 1, nodes))}));
    }
    if (nodes > 8) {
      EXPECT_NE(pairs(topology.round(0)), pairs(topology.round(1)));
      EXPECT_NE(pairs(topology.round(0)), pairs(make_topology(named("random_matching"), nodes, 8).round(0)));
    }
    EXPECT_TRUE(push_sum_is_idle(topology));
  }
}

TEST(RandomRegular, EveryNodeHasItsDegree) {
  for (const auto& [nodes, degree] : std::vector<std::pair<int, int>>{{8, 4}, {9, 2}, {30, 3}, {12, 11}}) {
    TopologyConfig config = named("random_regular");
    config.degree = degree;
    for (const int d : degrees(round_of(config, nodes, 5))) EXPECT_EQ(d, degree);
    EXPECT_TRUE(push_sum_is_idle(make_topology(config, nodes, 5)));
  }
  TopologyConfig odd = named("random_regular");
  odd.degree = 3;
  EXPECT_EQ(error_of([&] { make_topology(odd, 5, 1); }).find("topology.degree: expected 2 <= degree < run.nodes"), 0u);
}

TEST(ErdosRenyi, EachPairIsOneDraw) {
  TopologyConfig config = named("erdos_renyi");
  config.probability = 0.4;
  for (const bool both_ways : {false, true}) {
    config.undirected = both_ways;
    const auto drawn = [&](int i, int j, std::uint64_t attempt) {
      if (both_ways && i > j) std::swap(i, j);
      return random_uniform({.seed = 5,
                             .purpose = Purpose::kTopology,
                             .node = static_cast<std::uint64_t>(i),
                             .step = attempt,
                             .index = static_cast<std::uint64_t>(j)}) < 0.4;
    };
    const Pairs edges = pairs(round_of(config, 15, 5));
    const auto is_attempt = [&](std::uint64_t attempt) {
      for (int i = 0; i < 15; ++i)
        for (int j = 0; j < 15; ++j)
          if (i != j && edges.contains({i, j}) != drawn(i, j, attempt)) return false;
      return true;
    };
    EXPECT_TRUE(is_attempt(0) || is_attempt(1) || is_attempt(2)) << both_ways;
    config.redraw = true;
    const Topology redrawn = make_topology(config, 15, 5);
    for (const auto& [i, j] : pairs(redrawn.round(3))) EXPECT_TRUE(drawn(i, j, 3));
    EXPECT_NE(pairs(redrawn.round(3)), pairs(redrawn.round(4)));
    config.redraw = false;
  }
  config.probability = 0;
  EXPECT_EQ(error_of([&] { make_topology(config, 4, 1); }),
            "topology.probability: none of 1000 draws of erdos_renyi connects all 4 nodes; raise it");
}

TEST(SmallWorld, RewiringKeepsTheNumberOfEdges) {
  for (const double probability : {0.0, 0.3, 1.0}) {
    TopologyConfig config = named("small_world");
    config.probability = probability;
    for (const int nodes : {6, 7, 40}) EXPECT_EQ(round_of(config, nodes, 2).edges.size(), nodes * 4u) << probability;
  }
  TopologyConfig lattice = named("small_world");
  lattice.probability = 0;
  EXPECT_EQ(pairs(round_of(lattice, 7)), undirected({{0, 1},
                                                     {1, 2},
                                                     {2, 3},
                                                     {3, 4},
                                                     {4, 5},
                                                     {5, 6},
                                                     {6, 0},
                                                     {0, 2},
                                                     {1, 3},
                                                     {2, 4},
                                                     {3, 5},
                                                     {4, 6},
                                                     {5, 0},
                                                     {6, 1}}));
  lattice.degree = 5;
  EXPECT_EQ(error_of([&] { make_topology(lattice, 9, 1); }).find("topology.degree: expected an even degree"), 0u);
}

TEST(Geometric, JoinsPointsThatAreNear) {
  TopologyConfig config = named("geometric");
  config.radius = 1.5;  // the whole square
  EXPECT_EQ(round_of(config, 9).edges.size(), 72u);
  config.radius = 1e-3;
  EXPECT_EQ(error_of([&] { make_topology(config, 9, 1); }),
            "topology.radius: none of 1000 draws of geometric connects all 9 nodes; raise it");
}

TEST(RandomOut, UndirectedAddsTheOtherWay) {
  TopologyConfig config = named("random_out");
  const Pairs directed = pairs(round_of(config, 20, 4));
  config.undirected = true;
  EXPECT_EQ(pairs(round_of(config, 20, 4)), undirected(directed));
}

TEST(Undirected, MixingWeightsOfBothWaysAreEqualAndRowsSumToZero) {
  for (const char* name : {"ring", "torus", "star", "random_regular", "small_world", "geometric", "random_matching"})
    for (const int nodes : {10, 7000})
      for (const double eta : {1.0, 0.3}) {
        if (nodes > 10 && name != std::string("star")) continue;  // the only one with degrees that round columns down
        TopologyConfig config = named(name);
        config.weights = "metropolis";
        const TopologyRound round = round_of(config, nodes);
        const MixingWeights weights = mixing_weights(round, eta, 0);
        std::vector<double> column(weights.self.begin(), weights.self.end()), row = column;
        for (std::size_t e = 0; e < round.edges.size(); ++e) {
          column[round.edges[e].source] += weights.edge[e];
          row[round.edges[e].target] += weights.edge[e];
        }
        EXPECT_EQ(column, std::vector<double>(nodes, 0.0)) << name;
        EXPECT_EQ(row, std::vector<double>(nodes, 0.0)) << name;
      }
}

TEST(Undirected, DegreesThatAreNotSetAreThoseOfTheName) {
  const auto degree_of = [](const std::string& name) {
    return parse_config("", {"topology.name=" + name, "run.nodes=8"}).topology.degree;
  };
  EXPECT_EQ(degree_of("random_out"), 2);
  EXPECT_EQ(degree_of("random_regular"), 4);
  EXPECT_EQ(degree_of("small_world"), 4);
  EXPECT_EQ(degree_of("base_graph"), 1);
}

TEST(Undirected, KeysThatANameDoesNotUseAreRefusedOnTheCommandLine) {
  for (const auto& [name, setting] :
       std::vector<std::pair<std::string, std::string>>{{"ring", "degree=2"},
                                                        {"star", "rows=2"},
                                                        {"random_matching", "redraw=true"},
                                                        {"three_rings", "degree=1"},
                                                        {"base_graph", "weights=metropolis"},
                                                        {"geometric", "probability=0.5"},
                                                        {"torus", "radius=0.5"}}) {
    const std::string key = "topology." + setting.substr(0, setting.find('='));
    const std::string error = error_of([&] {
      parse_config("", {"run.nodes=4", "topology.name=" + name, "topology." + setting});
    });
    EXPECT_NE(error.find(key + ": only used with topology.name = "), std::string::npos) << name << ": " << error;
  }
  EXPECT_NE(error_of([] {
              parse_config("", {"topology.name=three_rings"});
            }).find("topology.name: \"three_rings\" is for 4 nodes; run.nodes is 8"),
            std::string::npos);
}

TEST(Torus, NeedsRowsThatDivide) {
  for (const int nodes : {5, 7})
    EXPECT_EQ(error_of([&] { make_topology(named("torus"), nodes, 1); }).find("topology.rows"), 0u);
  TopologyConfig config = named("torus");
  config.rows = 3;
  EXPECT_EQ(error_of([&] { make_topology(config, 8, 1); }).find("topology.rows: expected a divisor of run.nodes = 8"),
            0u);
}

}  // namespace
}  // namespace sparsepush
