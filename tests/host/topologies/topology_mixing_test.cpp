#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "host/topologies/topology.h"
#include "tests/host/config/config_file.h"

namespace sparsepush {
namespace {

using Matrix = std::vector<std::vector<double>>;

Topology make(const std::string& name, int nodes, int degree = 2, bool redraw = false) {
  return make_topology({.name = name, .degree = degree, .redraw = redraw, .weights = "uniform", .file = ""}, nodes, 1);
}

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix c(a.size(), std::vector<double>(a.size(), 0));
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < a.size(); ++k)
      for (std::size_t j = 0; j < a.size(); ++j) c[i][j] += a[i][k] * b[k][j];
  return c;
}

// Divides by the largest magnitude and returns its logarithm.
double scale(Matrix& a) {
  double largest = 0;
  for (const auto& row : a)
    for (const double value : row) largest = std::max(largest, std::abs(value));
  for (auto& row : a)
    for (double& value : row) value /= largest;
  return std::log(largest);
}

// |lambda_2|^(1 / rounds) by Gelfand's formula: the norm of (B^k)^(1/k), k = 2^30 by squaring, where B is the product
// of the rounds' P, each between projections to sum zero.
double rho_by_squaring(const Topology& topology, int rounds) {
  const int nodes = topology.nodes();
  Matrix projection(nodes, std::vector<double>(nodes, -1.0 / nodes));
  for (int i = 0; i < nodes; ++i) projection[i][i] += 1;
  Matrix power = projection;
  double log_norm = 0;
  for (int t = 0; t < rounds; ++t) {
    const TopologyRound round = topology.round(t);
    Matrix p(nodes, std::vector<double>(nodes, 0));
    for (int i = 0; i < nodes; ++i) p[i][i] = round.self_weight[i];
    for (const Edge& edge : round.edges) p[edge.target][edge.source] = edge.weight;
    power = product(projection, product(p, power));
    log_norm += scale(power);
  }
  for (int squaring = 0; squaring < 30; ++squaring) {
    power = product(projection, product(power, power));
    log_norm = 2 * log_norm + scale(power);
  }
  return std::exp(log_norm / std::ldexp(1.0, 30) / rounds);
}

TEST(MixingSpeed, OfADirectedRingIsTheCosine) {
  for (const int nodes : {2, 3, 4, 8, 16, 31, 600, 601, 100000}) {
    const MixingSpeed speed = mixing_speed(make("directed_ring", nodes));
    EXPECT_NEAR(speed.rho, std::cos(std::numbers::pi / nodes), 1e-12) << nodes;
    EXPECT_FALSE(speed.estimated);
  }
}

TEST(MixingSpeed, IsZeroWhereOnePeriodAveragesExactly) {
  for (const int nodes : {1, 2, 3, 7, 64, 601}) EXPECT_EQ(mixing_speed(make("complete", nodes)).rho, 0) << nodes;
  for (const int nodes : {1, 2, 4, 8, 64, 1024})
    EXPECT_EQ(mixing_speed(make("one_peer_exponential", nodes)).rho, 0) << nodes;
}

TEST(MixingSpeed, AgreesWithPowersOfTheMatrix) {
  for (const char* name : {"directed_ring", "exponential"})
    for (const int nodes : {3, 6, 9})
      EXPECT_NEAR(mixing_speed(make(name, nodes)).rho, rho_by_squaring(make(name, nodes), 1), 1e-7) << name << nodes;
  for (const int nodes : {5, 6, 12}) {
    const Topology peers = make("one_peer_exponential", nodes);
    EXPECT_NEAR(mixing_speed(peers).rho, rho_by_squaring(peers, static_cast<int>(peers.period())), 1e-7) << nodes;
    EXPECT_NEAR(mixing_speed(make("random_out", nodes)).rho, rho_by_squaring(make("random_out", nodes), 1), 1e-7)
        << nodes;
  }
  for (const int nodes : {40, 41}) {  // in fewer nodes singular rounds leave nothing but rounding after 64 of them
    const Topology redrawn = make("random_out", nodes, 2, true);
    EXPECT_NEAR(mixing_speed(redrawn).rho, rho_by_squaring(redrawn, 64), 1e-7) << nodes;
  }
}

TEST(MixingSpeed, IsEstimatedForManyNodes) {
  const MixingSpeed exact = mixing_speed(make("random_out", 600));
  const MixingSpeed estimate = mixing_speed(make("random_out", 601));
  EXPECT_FALSE(exact.estimated);
  EXPECT_TRUE(estimate.estimated);
  EXPECT_NEAR(estimate.rho, exact.rho, 0.05);
  const MixingSpeed redrawn = mixing_speed(make("random_out", 2000, 2, true));
  EXPECT_TRUE(redrawn.estimated);
  EXPECT_NEAR(redrawn.rho, mixing_speed(make("random_out", 200, 2, true)).rho, 0.02);
}

TEST(RoundsToContract, AreEnoughAndNotMore) {
  EXPECT_EQ(rounds_to_contract(make("directed_ring", 8), 1e-3), 88);
  EXPECT_EQ(rounds_to_contract(make("directed_ring", 8), 1e-2), 59);
  for (const int nodes : {3, 4, 16}) {
    const double rho = std::cos(std::numbers::pi / nodes);
    const std::int64_t rounds = rounds_to_contract(make("directed_ring", nodes), 1e-3);
    EXPECT_LE(std::pow(rho, rounds), 1e-3) << nodes;
    EXPECT_GT(std::pow(rho, rounds - 1), 1e-3) << nodes;
  }
}

TEST(RoundsToContract, AreNeverLessThanThePeriod) {
  for (const auto& [nodes, period] : std::vector<std::pair<int, int>>{{1, 1}, {2, 1}, {8, 3}, {1024, 10}})
    EXPECT_EQ(rounds_to_contract(make("one_peer_exponential", nodes), 1e-3), period) << nodes;
  EXPECT_EQ(rounds_to_contract(make("complete", 9), 1e-3), 1);
  EXPECT_GE(rounds_to_contract(make("random_out", 9, 2, true), 1e-3), 5) << "a redrawn one has no period";
}

TEST(RoundsToContract, OfARedrawnOneThatEndsExactlyAreAsManyAsWereLookedAt) {
  EXPECT_EQ(rounds_to_contract(make("random_out", 4, 1, true), 1e-3), 64) << "halves annihilate without rounding";
}

class MixingOfAFile : public ConfigFile {
 protected:
  Topology read(const std::string& text, int nodes) const {
    return make_topology({.name = "file", .file = write("e.csv", text)}, nodes, 1);
  }
};

TEST_F(MixingOfAFile, TinyEigenvaluesGiveOnePeriod) {
  // Rows of a 2 x 3 grid average by thirds, then columns by halves: exact up to the rounding of 1/3.
  std::string text = "round,source,target\n";
  for (int row = 0; row < 2; ++row)
    for (int from = 0; from < 3; ++from)
      for (int to = 0; to < 3; ++to)
        if (from != to) text += fmt::format("0,{},{}\n", 3 * row + from, 3 * row + to);
  for (int column = 0; column < 3; ++column) text += fmt::format("1,{0},{1}\n1,{1},{0}\n", column, column + 3);
  const Topology topology = read(text, 6);
  EXPECT_LT(mixing_speed(topology).rho, 1e-6);
  EXPECT_EQ(rounds_to_contract(topology, 1e-3), 2);
  EXPECT_TRUE(push_sum_is_idle(topology));
}

TEST_F(MixingOfAFile, PairsThatBarelyMixTakeTheirTime) {
  // Two nodes that pass on a millionth: lambda_2 = 1 - 2e-6.
  const Topology topology = read("round,source,target,weight\n0,0,1,0.000001\n0,1,0,0.000001\n", 2);
  EXPECT_NEAR(mixing_speed(topology).rho, 1 - 2e-6, 1e-12);
  EXPECT_EQ(rounds_to_contract(topology, 1e-3),
            static_cast<std::int64_t>(std::ceil(std::log(1e-3) / std::log1p(-2e-6))));
}

TEST_F(MixingOfAFile, IsNotCirculantIfOnlySomeWeightsDiffer) {
  const Topology topology = read("round,source,target,weight\n0,0,1,0.5\n0,1,2,0.25\n0,2,0,0.5\n", 3);
  EXPECT_NEAR(mixing_speed(topology).rho, rho_by_squaring(topology, 1), 1e-7);
  const Topology self = read("round,source,target,weight\n0,0,1,0.5\n0,1,2,0.5\n0,2,0,0.5\n0,2,2,0.4999999\n", 3);
  EXPECT_NEAR(mixing_speed(self).rho, rho_by_squaring(self, 1), 1e-7);
  EXPECT_FALSE(push_sum_is_idle(topology));
}

TEST(PushSum, IsIdleExactlyWhereRowsSumToOne) {
  for (const char* name : {"directed_ring", "complete", "exponential", "one_peer_exponential"})
    for (const int nodes : {1, 2, 5, 8, 100}) EXPECT_TRUE(push_sum_is_idle(make(name, nodes))) << name << nodes;
  EXPECT_TRUE(push_sum_is_idle(make("random_out", 9, 1))) << "a cycle";
  EXPECT_TRUE(push_sum_is_idle(make("random_out", 9, 8, true))) << "complete";
  EXPECT_FALSE(push_sum_is_idle(make("random_out", 9, 2)));
  EXPECT_FALSE(push_sum_is_idle(make("random_out", 9, 2, true)));
}

TEST(DescribeTopology, SaysWhatAUserAsks) {
  EXPECT_EQ(describe_topology(make("directed_ring", 3)),
            "topology       directed_ring\n"
            "nodes          3\n"
            "rounds         static\n"
            "round 0        3 edges; out-degree 1, in-degree 1, self weight 0.5\n"
            "rho            0.5 a round, from all eigenvalues\n"
            "spectral gap   0.5\n"
            "rounds to 1 %  7\n"
            "push-sum       idle: all u stay 1\n"
            "\n"
            "digraph round_0 {\n  0;\n  1;\n  2;\n  2 -> 0 [label=\"0.5\"];\n  0 -> 1 [label=\"0.5\"];\n"
            "  1 -> 2 [label=\"0.5\"];\n}\n");
}

TEST(DescribeTopology, DrawsEveryRoundOfAShortPeriodAndLeavesLargeOnesOut) {
  const std::string peers = describe_topology(make("one_peer_exponential", 8));
  EXPECT_NE(peers.find("period of 3 rounds"), std::string::npos);
  EXPECT_NE(peers.find("digraph round_2 {"), std::string::npos);
  const std::string large = describe_topology(make("random_out", 700, 3));
  EXPECT_NE(large.find("estimated by power iteration"), std::string::npos);
  EXPECT_NE(large.find("DOT            left out: 2100 edges, more than 200\n"), std::string::npos) << large;
  EXPECT_EQ(large.find("digraph"), std::string::npos);
  const std::string redrawn = describe_topology(make("random_out", 9, 2, true));
  EXPECT_NE(redrawn.find("drawn anew every round"), std::string::npos);
  EXPECT_NE(redrawn.find("digraph round_0 {"), std::string::npos);
  EXPECT_NE(redrawn.find("active: rows do not sum to 1"), std::string::npos);
}

}  // namespace
}  // namespace sparsepush
