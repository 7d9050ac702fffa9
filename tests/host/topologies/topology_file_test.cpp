#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "host/topologies/file.h"
#include "tests/data/error_of.h"
#include "tests/host/config/config_file.h"

namespace sparsepush {
namespace {

class TopologyFile : public ConfigFile {
 protected:
  static constexpr const char* kPlain = "round,source,target\n";
  static constexpr const char* kWeighted = "round,source,target,weight\n";

  std::vector<TopologyRound> read(const std::string& text, int nodes) const {
    return read_topology_file(write("e.csv", text), nodes);
  }
  // The message that making a topology from the file ends with, "" if it succeeds.
  std::string refusal(const std::string& text, int nodes) const {
    try {
      make_topology({.name = "file", .file = write("e.csv", text)}, nodes, 1);
      return "";
    } catch (const InputError& e) {
      const std::string line = e.what(), prefix = folder_.string() + "/";
      return line.starts_with(prefix) ? line.substr(prefix.size()) : line;
    }
  }
};

using Triples = std::vector<std::tuple<int, int, double>>;

Triples triples(const TopologyRound& round) {
  Triples found;
  for (const Edge& edge : round.edges) found.emplace_back(edge.source, edge.target, edge.weight);
  return found;
}

TEST_F(TopologyFile, WithoutWeightsIsUniform) {
  const auto rounds = read("round,source,target\n0,0,1\n0,0,2\n1,2,0\n0,1,2\n1,1,1\n", 3);
  ASSERT_EQ(rounds.size(), 2u);
  EXPECT_EQ(triples(rounds[0]), (Triples{{0, 1, 1.0 / 3}, {0, 2, 1.0 / 3}, {1, 2, 0.5}}));
  EXPECT_EQ(rounds[0].self_weight, (std::vector<double>{1.0 / 3, 0.5, 1}));
  EXPECT_EQ(triples(rounds[1]), (Triples{{2, 0, 0.5}}));
  EXPECT_EQ(rounds[1].self_weight, (std::vector<double>{1, 1, 0.5})) << "self rows do not count in the out-degree";
}

TEST_F(TopologyFile, WithWeightsUsesItsOwn) {
  const auto rounds = read("round,source,target,weight\r\n0,1,0,0.25\r\n0,0,1,5e-1\r\n0,0,0,.5\r\n0,2,2,1\r\n", 3);
  ASSERT_EQ(rounds.size(), 1u);
  EXPECT_EQ(triples(rounds[0]), (Triples{{1, 0, 0.25}, {0, 1, 0.5}}));
  EXPECT_EQ(rounds[0].self_weight, (std::vector<double>{0.5, 0.75, 1}));
}

TEST_F(TopologyFile, MayEndWithOrWithoutANewline) {
  EXPECT_EQ(read("round,source,target\n0,0,1\n0,1,0", 2)[0].edges.size(), 2u);
  EXPECT_EQ(read("round,source,target\n0,0,1\n0,1,0\n", 2)[0].edges.size(), 2u);
  EXPECT_EQ(read("round,source,target\n0,0,0", 1)[0].self_weight, std::vector<double>{1});
}

TEST_F(TopologyFile, RowsMayComeInAnyOrder) {
  const auto rounds = read("round,source,target\n1,1,0\n0,2,1\n1,0,1\n0,0,1\n0,1,0\n", 3);
  ASSERT_EQ(rounds.size(), 2u);
  EXPECT_EQ(triples(rounds[0]), (Triples{{1, 0, 0.5}, {0, 1, 0.5}, {2, 1, 0.5}}));
  EXPECT_EQ(triples(rounds[1]), (Triples{{1, 0, 0.5}, {0, 1, 0.5}}));
}

TEST_F(TopologyFile, IsUsedRoundByRoundWithItsPeriod) {
  const Topology topology =
      make_topology({.name = "file", .file = write("e.csv", "round,source,target\n0,0,1\n1,1,0\n")}, 2, 1);
  EXPECT_EQ(topology.period(), 2);
  EXPECT_EQ(triples(topology.round(4)), (Triples{{0, 1, 0.5}}));
  EXPECT_EQ(triples(topology.round(7)), (Triples{{1, 0, 0.5}}));
  EXPECT_NE(describe_topology(topology).find("e.csv"), std::string::npos);
}

TEST_F(TopologyFile, BadHeadersAndColumnsNameTheLine) {
  const std::string header =
      "e.csv:1: expected a header with source and target, and perhaps round or weight, such as "
      "round,source,target,weight; got ";
  EXPECT_EQ(refusal("source,color\n0,1\n", 2), header + "\"source,color\"");
  EXPECT_EQ(refusal("source,target,source\n0,1,0\n", 2), header + "\"source,target,source\"");
  EXPECT_EQ(refusal("", 2),
            "e.csv:1: expected rows source,target or round,source,target, with or without a weight, got nothing");
  EXPECT_EQ(refusal(std::string(kPlain) + "0,0,1\n0,1\n", 2), "e.csv:3: expected 3 columns, got \"0,1\"");
  EXPECT_EQ(refusal(std::string(kPlain) + "0,0,1,0.5\n", 2), "e.csv:2: expected 3 columns, got \"0,0,1,0.5\"");
  EXPECT_EQ(refusal(std::string(kWeighted) + "0,0,1\n", 2), "e.csv:2: expected 4 columns, got \"0,0,1\"");
  EXPECT_EQ(refusal(kPlain, 2), "e.csv: expected at least one row after the header");
  EXPECT_EQ(refusal(std::string(kPlain) + std::string(202, '0') + "\n", 2),
            "e.csv:2: expected a line of at most 200 characters");
  EXPECT_EQ(refusal(std::string(1 << 20, 'x'), 2), "e.csv:1: expected a line of at most 200 characters");
}

TEST_F(TopologyFile, BadNumbersNameTheLine) {
  const auto plain = [&](const std::string& row) { return refusal(kPlain + row + "\n", 8); };
  EXPECT_EQ(plain("0,x,1"), "e.csv:2: source: expected an integer, got \"x\"");
  EXPECT_EQ(plain("0,+1,2"), "e.csv:2: source: expected an integer, got \"+1\"");
  EXPECT_EQ(plain("0,1.0,2"), "e.csv:2: source: expected an integer, got \"1.0\"");
  EXPECT_EQ(plain(",1,2"), "e.csv:2: round: expected an integer, got \"\"");
  EXPECT_EQ(plain("0,8,1"), "e.csv:2: source: expected 0 <= source < run.nodes, which is 8; got 8");
  EXPECT_EQ(plain("0,-1,1"), "e.csv:2: source: expected 0 <= source < run.nodes, which is 8; got -1");
  EXPECT_EQ(plain("0,1,4294967296"), "e.csv:2: target: expected 0 <= target < run.nodes, which is 8; got 4294967296");
  EXPECT_EQ(plain("0,1,99999999999999999999"),
            "e.csv:2: target: expected 0 <= target < run.nodes, which is 8; got 99999999999999999999");
  EXPECT_EQ(plain("-1,1,2"), "e.csv:2: round: expected 0 <= round <= 9223372036854775807, got -1");
  const auto weighted = [&](const std::string& weight) { return refusal(kWeighted + ("0,1,2," + weight + "\n"), 8); };
  EXPECT_EQ(weighted("half"), "e.csv:2: weight: expected a number, got \"half\"");
  EXPECT_EQ(weighted(""), "e.csv:2: weight: expected a number, got \"\"");
  EXPECT_EQ(weighted("1e-999"), "e.csv:2: weight: expected a number, got \"1e-999\"");
  for (const char* weight : {"nan", "inf", "-inf", "-0.5"})
    EXPECT_EQ(weighted(weight), std::string("e.csv:2: weight: expected 0 <= weight <= 1, got ") + weight);
}

TEST_F(TopologyFile, ColumnsMustSumToOneAndLeaveSomethingBehind) {
  const auto weighted = [&](const std::string& rows) { return refusal(kWeighted + rows, 2); };
  const std::string back = "0,1,0,0.5\n";
  EXPECT_EQ(weighted(back + "0,0,1,0.5\n0,0,0,0.4\n"),
            "e.csv:4: round 0: the weights of node 0 (its column) sum to 0.9; expected 1");
  EXPECT_EQ(weighted(back + "0,0,1,0.5\n0,0,0,0.5000005\n"), "") << "within 1e-6";
  EXPECT_NE(weighted(back + "0,0,1,0.5\n0,0,0,0.5000015\n"), "");
  EXPECT_EQ(weighted(back + "0,0,1,1\n"),
            "e.csv:3: round 0: node 0 sends a sum of 1 and keeps nothing; expected a self weight > 0");
  EXPECT_EQ(weighted(back + "0,0,1,1.5\n"),
            "e.csv:3: round 0: the weights of node 0 (its column) sum to 1.5; expected 1");
  EXPECT_NE(weighted(back + "0,0,1,1\n0,0,0,0.0000005\n"), "") << "sends all, yet claims to keep some";
  EXPECT_NE(weighted(back + "0,0,0,0.5\n"), "") << "the self weight alone does not sum to 1";
}

TEST_F(TopologyFile, WhoseRowsSumToOneInsteadOfItsColumnsMayBeTransposed) {
  EXPECT_EQ(refusal(kWeighted + std::string("0,1,0,0.25\n0,2,0,0.25\n0,0,0,0.5\n0,0,1,0.5\n0,1,1,0.5\n0,0,2,0.5\n"
                                            "0,2,2,0.5\n"),
                    3),
            "e.csv:7: round 0: the weights of node 0 (its column) sum to 1.5; expected 1; what each node receives sums "
            "to 1, so source and target may be exchanged");
}

TEST_F(TopologyFile, OfRoundsWithoutAHeaderIsSuspected) {
  EXPECT_EQ(refusal("0,0,1\n0,1,2\n0,2,0\n", 3),
            "e.csv:3: round 0: the weights of node 0 (its column) sum to 3; expected 1; if its numbers are "
            "round,source,target, the file needs that header");
}

TEST_F(TopologyFile, OfOneRoundNeedsNoRoundsAndPerhapsNoHeader) {
  const Triples ring = {{2, 0, 0.5}, {0, 1, 0.5}, {1, 2, 0.5}};
  for (const char* text :
       {"source,target\n0,1\n1,2\n2,0\n", "target,source\n1,0\n2,1\n0,2\n", "0,1\n1,2\n2,0\n",
        "Source\tTarget\n0\t1\n1\t2\n2\t0\n", "0 1\n1   2\n 2 \t0 \n", "3\n0 1\n1 2\n2 0\n",
        "# a graph\n\n0 1 # an edge\n1 2\n#\n2 0", "\xEF\xBB\xBFsource,target\r\n0, 1\r\n1, 2\r\n2, 0\r\n",
        "source,target,weight\n0,1,.5\n1,2,.5\n2,0,.5\n", "0 1 .5\n1 2 0.5\n2 0 5e-1\n"}) {
    const auto rounds = read(text, 3);
    ASSERT_EQ(rounds.size(), 1u) << text;
    EXPECT_EQ(triples(rounds[0]), ring) << text;
  }
  EXPECT_EQ(read("0 0 1 0.5\n1 1 0 0.25\n", 2).size(), 2u) << "round, source, target, weight";
  EXPECT_EQ(refusal("4\n0 1\n1 0\n", 2), "e.csv: is for 4 nodes; run.nodes is 2");
  EXPECT_EQ(refusal("0 1 0.5 1 1\n", 2), "e.csv:1: expected 2 to 4 columns, got \"0 1 0.5 1 1\"");
  EXPECT_EQ(refusal("0 1\n1,0\n", 2), "e.csv:2: expected 2 columns, got \"1,0\"");
  EXPECT_EQ(refusal("0 1\n1 one\n", 2), "e.csv:2: target: expected an integer, got \"one\"");
  EXPECT_EQ(refusal("# only a comment\n", 2).substr(0, 16), "e.csv:2: expecte");
  EXPECT_EQ(read("#" + std::string(5000, 'x') + "\n0 1\n1 0\n", 2)[0].edges.size(), 2u) << "a long comment";
}

TEST_F(TopologyFile, AWeightOfZeroIsNoEdge) {
  std::string text = kWeighted;
  for (int source = 0; source < 3; ++source)
    for (int target = 0; target < 3; ++target)
      text += fmt::format("0,{},{},{}\n", source, target, (target - source + 3) % 3 < 2 ? 0.5 : 0);
  EXPECT_EQ(triples(read(text, 3)[0]), (Triples{{2, 0, 0.5}, {0, 1, 0.5}, {1, 2, 0.5}}));
  EXPECT_NE(refusal(text + "0,0,2,0\n", 3).find("duplicate"), std::string::npos);
}

TEST_F(TopologyFile, UndirectedAddsTheOtherWayThatIsMissing) {
  const auto undirected = [&](const std::string& text, int nodes) {
    return read_topology_file(write("e.csv", text), nodes, true);
  };
  const Triples path = {{1, 0, 1.0 / 3}, {0, 1, 0.5}, {2, 1, 0.5}, {1, 2, 1.0 / 3}};
  EXPECT_EQ(triples(undirected("0 1\n1 2\n", 3)[0]), path);
  EXPECT_EQ(triples(undirected("0 1\n1 0\n2 1\n", 3)[0]), path);
  const auto rounds = undirected("round,source,target\n0,0,1\n1,2,1\n", 3);
  EXPECT_EQ(triples(rounds[1]), (Triples{{2, 1, 0.5}, {1, 2, 0.5}})) << "round by round";
  EXPECT_EQ(triples(undirected("0 1 0.25\n2 1 0.5\n1 2 0\n", 3)[0]),
            (Triples{{1, 0, 0.25}, {0, 1, 0.25}, {2, 1, 0.5}, {1, 2, 0.5}}));
  EXPECT_NE(sparsepush::error_of([&] {
              undirected("0 1 0.25\n1 0 0.5\n", 2);
            }).find("e.csv:2: the weights of 1 -> 0 and, in line 1"),
            std::string::npos);
  make_topology({.name = "file", .undirected = true, .file = write("e.csv", "0 1\n1 2\n2 3\n0 3\n")}, 4, 1);
}

TEST_F(TopologyFile, OfTenTenthsKeepsNothing) {
  std::string text = kWeighted;
  for (int target = 1; target <= 10; ++target) text += fmt::format("0,0,{0},0.1\n0,{0},0,0.5\n", target);
  EXPECT_NE(refusal(text, 11), "") << "the sum of ten 0.1 is below 1 by rounding alone";
}

TEST_F(TopologyFile, DuplicateEdgesNameBothLines) {
  EXPECT_EQ(refusal(std::string(kPlain) + "0,0,1\n0,1,0\n0,0,1\n", 2),
            "e.csv:4: duplicate edge 0 -> 1 in round 0; it is in line 2 already");
  EXPECT_EQ(refusal(std::string(kWeighted) + "0,0,1,0.1\n0,1,0,0.1\n0,0,0,0.9\n0,0,0,0.9\n", 2),
            "e.csv:5: duplicate edge 0 -> 0 in round 0; it is in line 4 already");
  EXPECT_EQ(refusal(std::string(kPlain) + "0,0,1\n0,1,0\n1,0,1\n", 2), "") << "another round";
}

TEST_F(TopologyFile, MissingRoundsAreErrorsAndAllocateNothing) {
  EXPECT_EQ(refusal(std::string(kPlain) + "0,0,1\n2,1,0\n", 2),
            "e.csv:3: round 1 has no rows, but this is a row of round 2; expected every round from 0 on");
  EXPECT_EQ(
      refusal(std::string(kPlain) + "1000000000000000000,0,1\n", 2),
      "e.csv:2: round 0 has no rows, but this is a row of round 1000000000000000000; expected every round from 0 on");
  EXPECT_EQ(refusal(std::string(kPlain) + "0,0,1\n9223372036854775807,1,0\n", 2).substr(0, 8), "e.csv:3:");
  std::string many = kPlain;
  for (int round = 0; round < 200; ++round) many += fmt::format("{},0,1\n", round);
  EXPECT_EQ(refusal(many, 1000000),
            "e.csv: 200 rounds of 1000000 nodes are too many; expected rounds * nodes <= 134217728");
}

TEST_F(TopologyFile, MustConnectAllNodesOverOnePeriod) {
  EXPECT_EQ(refusal(std::string(kPlain) + "0,0,1\n0,1,0\n", 3), "e.csv: node 2 occurs in no row; run.nodes is 3");
  EXPECT_EQ(refusal(std::string(kPlain) + "0,0,1\n0,1,0\n", 5), "e.csv: nodes 2 to 4 occur in no row; run.nodes is 5");
  EXPECT_EQ(refusal(std::string(kPlain) + "0,0,1\n1,1,2\n", 3),
            "e.csv: not strongly connected over rounds 0 to 1: no path from node 1 to node 0; if edges lead both ways, "
            "set topology.undirected = true");
  EXPECT_EQ(refusal(std::string(kPlain) + "0,0,1\n1,1,2\n2,2,0\n", 3), "");
  EXPECT_EQ(refusal(std::string(kPlain) + "0,0,1\n1,0,1\n2,0,1\n3,0,1\n4,1,0\n", 2), "")
      << "only the last round returns";
}

TEST_F(TopologyFile, ThatCannotBeReadIsRefused) {
  EXPECT_THROW(read_topology_file((folder_ / "missing.csv").string(), 2), InputError);
  EXPECT_THROW(read_topology_file(folder_.string(), 2), InputError) << "a folder";
  EXPECT_THROW(read_topology_file("/dev/zero", 2), InputError);
  EXPECT_TRUE(topology_file_has_weights(write("w.csv", kWeighted)));
  EXPECT_FALSE(topology_file_has_weights(write("p.csv", kPlain)));
}

}  // namespace
}  // namespace sparsepush
