// Topology files in the formats of METIS and MatrixMarket.
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "host/topologies/file.h"
#include "tests/data/error_of.h"
#include "tests/host/config/config_file.h"

namespace sparsepush {
namespace {

using Triples = std::vector<std::tuple<int, int, double>>;

class GraphFormats : public ConfigFile {
 protected:
  TopologyRound read(const std::string& name, const std::string& text, int nodes) const {
    const auto rounds = read_topology_file(write(name, text), nodes);
    EXPECT_EQ(rounds.size(), 1u);
    return rounds.front();
  }
  Triples triples(const std::string& name, const std::string& text, int nodes) const {
    Triples found;
    for (const Edge& edge : read(name, text, nodes).edges) found.emplace_back(edge.source, edge.target, edge.weight);
    return found;
  }
  std::string refusal(const std::string& name, const std::string& text, int nodes) const {
    const std::string line =
        sparsepush::error_of([&] { make_topology({.name = "file", .file = write(name, text)}, nodes, 1); });
    const std::string prefix = folder_.string() + "/";
    return line.starts_with(prefix) ? line.substr(prefix.size()) : line;
  }
};

// 0 - 1 - 2 and both ways.
const Triples kPath = {{1, 0, 1.0 / 3}, {0, 1, 0.5}, {2, 1, 0.5}, {1, 2, 1.0 / 3}};

TEST_F(GraphFormats, MetisListsNeighboursFromOne) {
  EXPECT_EQ(triples("a.graph", "3 2\n2\n1 3\n2\n", 3), kPath);
  EXPECT_EQ(triples("a.METIS", "\xEF\xBB\xBF% a comment\r\n3 2\r\n% another\r\n 2\r\n3 \t1\r\n2\r\n\r\n", 3), kPath);
  EXPECT_EQ(triples("a.txt", "% known by its comment\n3 2\n2\n1 3\n2", 3), kPath);
  EXPECT_EQ(triples("a.graph", "3 2 010\n7 2\n7 1 3\n7 2\n", 3), kPath) << "a weight of each node";
  EXPECT_EQ(triples("a.graph", "3 2 110 2\n1 7 7 2\n1 7 7 1 3\n1 7 7 2\n", 3), kPath) << "a size and two weights";
  EXPECT_FALSE(topology_file_has_weights(write("a.graph", "3 2\n2\n1 3\n2\n")));
}

TEST_F(GraphFormats, WrongGraphsOfMetisNameTheLine) {
  const auto metis = [&](const std::string& text) { return refusal("a.graph", text, 3); };
  EXPECT_EQ(metis(""), "a.graph:1: expected the numbers of nodes and edges, got nothing");
  EXPECT_EQ(metis("3\n").substr(0, 53), "a.graph:1: expected the numbers of nodes and edges, a");
  EXPECT_EQ(metis("4 2\n2\n1\n\n"), "a.graph:1: is for 4 nodes; run.nodes is 3");
  EXPECT_EQ(metis("3 two\n"), "a.graph:1: edges: expected an integer, got \"two\"");
  EXPECT_EQ(metis("3 99999999999999999999\n"),
            "a.graph:1: edges: expected 0 <= edges <= 67108864, got 99999999999999999999");
  EXPECT_EQ(metis("3 -1\n"), "a.graph:1: edges: expected 0 <= edges <= 67108864, got -1");
  EXPECT_EQ(metis("3 2 001\n2 5\n1 5 3 5\n2 5\n"),
            "a.graph:1: expected edges without weights: those of METIS are whole numbers, which are no mixing weights");
  EXPECT_EQ(metis("3 2 7\n"), "a.graph:1: expected a format of three digits 0 or 1, got \"7\"");
  EXPECT_EQ(metis("3 2\n% a comment\n2\n1 4\n2\n"),
            "a.graph:4: neighbour: expected 1 <= neighbour <= run.nodes, which is 3; got 4");
  EXPECT_EQ(metis("3 2\n2\n1 0\n2\n"), "a.graph:3: neighbour: expected 1 <= neighbour <= run.nodes, which is 3; got 0");
  EXPECT_EQ(metis("3 2\n2\n1 x\n2\n"), "a.graph:3: neighbour: expected an integer, got \"x\"");
  EXPECT_EQ(metis("3 2\n2\n1 2\n2\n"), "a.graph:3: node 2 is a neighbour of itself");
  EXPECT_EQ(metis("3 2\n2\n3 1 3\n2\n"), "a.graph:3: node 2 has the neighbour 3 twice");
  EXPECT_EQ(metis("3 2\n2\n1 3\n\n"), "a.graph:3: node 2 has the neighbour 3, but that has not the neighbour 2");
  EXPECT_EQ(metis("3 1\n2\n1 3\n2\n"), "a.graph:3: expected 1 edges, each in the lines of both its ends, got more");
  EXPECT_EQ(metis("3 3\n2\n1 3\n2\n"), "a.graph: expected 3 edges, got 2");
  EXPECT_EQ(metis("3 2\n2\n1 3\n"), "a.graph:4: expected lines of 3 nodes, got 2");
  EXPECT_EQ(metis("3 2\n2\n1 3\n2\n1\n"), "a.graph:5: expected lines of 3 nodes, got more");
  EXPECT_EQ(metis("3 2 011\n"), metis("3 2 1\n"));
  EXPECT_EQ(metis("3 2 010\n5 2\n\n5 2\n"), "a.graph:3: expected 1 weights and sizes of node 2, got \"\"");
  EXPECT_EQ(metis("3 1\n2\n1\n\n"), "a.graph: node 2 occurs in no row; run.nodes is 3");
}

const std::string kPattern = "%%MatrixMarket matrix coordinate pattern ";
const std::string kReal = "%%MatrixMarket matrix coordinate real ";
const std::string kInteger = "%%MatrixMarket matrix coordinate integer ";

TEST_F(GraphFormats, AdjacencyMatricesHaveEdgesFromRowToColumn) {
  EXPECT_EQ(triples("a.mtx", kPattern + "symmetric\n% a path\n3 3 2\n2 1\n3 2\n", 3), kPath);
  EXPECT_EQ(triples("a.csv", kPattern + "symmetric\n3 3 2\n1 2\n3 2\n", 3), kPath) << "by its banner; either triangle";
  const Triples ring = {{2, 0, 0.5}, {0, 1, 0.5}, {1, 2, 0.5}};
  EXPECT_EQ(triples("a.mtx", kPattern + "general\n3 3 3\n1 2\n2 3\n3 1\n", 3), ring);
  EXPECT_EQ(triples("a.mtx", kInteger + "general\n3 3 4\n1 2 1\n2 3 1\n3 1 1\n1 3 0\n", 3), ring);
  EXPECT_EQ(triples("a.MTX",
                    "\xEF\xBB\xBF%%matrixmarket MATRIX Coordinate Pattern General\r\n%\r\n\r\n3 3 4\r\n1 2\r\n"
                    " 2\t3 \r\n3 1\r\n2 2\r\n",
                    3),
            ring)
      << "a loop is no edge";
}

TEST_F(GraphFormats, RealMatricesAreMixingMatrices) {
  const std::string symmetric = kReal + "symmetric\n2 2 3\n1 1 0.75\n2 1 .25\n2 2 7.5e-1\n";
  EXPECT_EQ(triples("a.mtx", symmetric, 2), (Triples{{1, 0, 0.25}, {0, 1, 0.25}}));
  EXPECT_TRUE(topology_file_has_weights(write("a.mtx", symmetric)));
  const TopologyRound round = read("a.mtx", kReal + "general\n2 2 3\n1 2 0.5\n2 1 0.25\n2 2 0.5\n", 2);
  EXPECT_EQ(round.self_weight, (std::vector<double>{0.75, 0.5}));
  EXPECT_EQ(round.edges[0].source, 1) << "row 1 takes half of what column 2 sends";
  EXPECT_EQ(round.edges[0].weight, 0.5);
}

TEST_F(GraphFormats, WrongMatricesNameTheLine) {
  const auto market = [&](const std::string& text) { return refusal("a.mtx", text, 3); };
  const std::string banner = "a.mtx:1: expected a banner such as %%MatrixMarket matrix coordinate real general, got ";
  EXPECT_EQ(market(""), banner + "\"\"");
  EXPECT_EQ(market("3 3 2\n2 1\n"), banner + "\"3 3 2\"");
  EXPECT_EQ(market("%%MatrixMarket matrix array real general\n3 3\n").substr(0, 61),
            "a.mtx:1: expected a coordinate (sparse) matrix, got \"%%Matrix");
  EXPECT_EQ(market("%%MatrixMarket matrix coordinate complex general\n").substr(0, 58),
            "a.mtx:1: expected a field of pattern, integer or real, got");
  EXPECT_EQ(market(kReal + "skew-symmetric\n").substr(0, 53), "a.mtx:1: expected a general or symmetric matrix, got ");
  EXPECT_EQ(market(kPattern + "general\n% nothing\n"),
            "a.mtx:3: expected numbers of rows, columns and entries, got the end of the file");
  EXPECT_EQ(market(kPattern + "general\n3 3\n"), "a.mtx:2: expected numbers of rows, columns and entries, got \"3 3\"");
  EXPECT_EQ(market(kPattern + "general\n3 4 1\n1 2\n"), "a.mtx:2: expected a square matrix, got 3 x 4");
  EXPECT_EQ(market(kPattern + "general\n4 4 1\n1 2\n"), "a.mtx:2: is for 4 nodes; run.nodes is 3");
  EXPECT_EQ(market(kPattern + "general\n3 3 1000000000000000000\n1 2\n"),
            "a.mtx:2: entries: expected 0 <= entries <= 134217728, got 1000000000000000000");
  EXPECT_EQ(market(kPattern + "general\n3 3 -1\n"), "a.mtx:2: entries: expected 0 <= entries <= 134217728, got -1");
  EXPECT_EQ(market(kPattern + "general\n3 3 3\n1 2\n2 3\n"), "a.mtx:5: expected 3 entries, got 2");
  EXPECT_EQ(market(kPattern + "general\n3 3 1\n1 2\n2 3\n"), "a.mtx:4: expected 1 entries, got more");
  EXPECT_EQ(market(kPattern + "general\n3 3 1\n0 2\n"),
            "a.mtx:3: row: expected 1 <= row <= run.nodes, which is 3; got 0");
  EXPECT_EQ(market(kPattern + "general\n3 3 1\n1 4\n"),
            "a.mtx:3: column: expected 1 <= column <= run.nodes, which is 3; got 4");
  EXPECT_EQ(market(kPattern + "general\n3 3 1\n1 2 1\n"), "a.mtx:3: expected row and column, got \"1 2 1\"");
  EXPECT_EQ(market(kReal + "general\n3 3 1\n1 2\n"), "a.mtx:3: expected row, column and value, got \"1 2\"");
  EXPECT_EQ(market(kReal + "general\n3 3 1\n1 2 x\n"), "a.mtx:3: weight: expected a number, got \"x\"");
  EXPECT_EQ(market(kReal + "general\n3 3 1\n1 2 nan\n"), "a.mtx:3: weight: expected 0 <= weight <= 1, got nan");
  EXPECT_EQ(
      market(kReal + "general\n3 3 1\n1 2 1.0\n"),
      "a.mtx:3: expected a mixing weight below 1, got 1.0; the field of an adjacency matrix is pattern or integer");
  EXPECT_EQ(market(kInteger + "general\n3 3 1\n1 2 4\n"),
            "a.mtx:3: value: expected 0 or 1, as whole numbers are no mixing weights; got 4");
  EXPECT_EQ(market(kPattern + "symmetric\n3 3 3\n2 1\n1 2\n3 2\n"),
            "a.mtx:4: duplicate edge 1 -> 0 in round 0; it is in line 3 already");
  EXPECT_EQ(market(kPattern + "general\n3 3 0\n"), "a.mtx: expected at least one entry");
}

}  // namespace
}  // namespace sparsepush
