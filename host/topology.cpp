#include "host/topology.h"

#include <fmt/format.h>

#include <numeric>
#include <utility>

#include "data/input_error.h"
#include "host/topology_file.h"
#include "host/topology_generated.h"
#include "kernels/check.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kMostEdges = std::int64_t{1} << 27;  // of one period: 2 GiB of edges

void check_edge_count(std::int64_t edges, const TopologyConfig& config, int nodes) {
  if (edges > kMostEdges)
    throw InputError("topology.name: {} over {} nodes has {} edges; expected at most {}", config.name, nodes, edges,
                     kMostEdges);
}

std::vector<int> all_offsets(int nodes) {
  std::vector<int> offsets(nodes - 1);
  std::iota(offsets.begin(), offsets.end(), 1);
  return offsets;
}

// The offsets of every round of one period.
std::vector<std::vector<int>> circulant_offsets(const TopologyConfig& config, int nodes) {
  if (nodes == 1) return {{}};
  if (config.name == "directed_ring") return {{1}};
  if (config.name == "complete") return {all_offsets(nodes)};
  if (config.name == "exponential") return {exponential_offsets(nodes)};
  if (config.name != "one_peer_exponential") throw InputError("topology.name: unknown topology \"{}\"", config.name);
  std::vector<std::vector<int>> rounds;
  for (const int offset : exponential_offsets(nodes)) rounds.push_back({offset});
  return rounds;
}

std::vector<TopologyRound> circulant_rounds(const TopologyConfig& config, int nodes) {
  const auto offsets = circulant_offsets(config, nodes);
  std::int64_t edges = 0;
  for (const auto& round : offsets) edges += static_cast<std::int64_t>(round.size()) * nodes;
  check_edge_count(edges, config, nodes);
  std::vector<TopologyRound> rounds;
  for (const auto& round : offsets) rounds.push_back(circulant_round(nodes, round));
  return rounds;
}

// Reaches from node 0 along the edges (or against them); the first node that it cannot reach, or -1.
int first_unreached(int nodes, const std::vector<std::pair<int, int>>& edges, bool against) {
  const auto from = [&](const auto& edge) { return against ? edge.second : edge.first; };
  std::vector<std::int64_t> begin(static_cast<std::size_t>(nodes) + 1, 0);
  for (const auto& edge : edges) ++begin[from(edge) + 1];
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  std::vector<std::int64_t> place(begin.begin(), begin.end() - 1);
  std::vector<int> ends(edges.size());
  for (const auto& edge : edges) ends[place[from(edge)]++] = against ? edge.first : edge.second;

  std::vector<bool> reached(nodes, false);
  std::vector<int> open = {0};
  reached[0] = true;
  while (!open.empty()) {
    const int node = open.back();
    open.pop_back();
    for (std::int64_t e = begin[node]; e < begin[node + 1]; ++e) {
      if (!reached[ends[e]]) open.push_back(ends[e]);
      reached[ends[e]] = true;
    }
  }
  for (int node = 0; node < nodes; ++node)
    if (!reached[node]) return node;
  return -1;
}

}  // namespace

TopologyRound Topology::round(std::int64_t t) const {
  CHECK(t >= 0, "round ", t);
  if (period_ == 0) return random_out_round(nodes_, config_.degree, seed_, t);
  return rounds_[static_cast<std::size_t>(t % period_)];
}

Topology make_topology(const TopologyConfig& config, int nodes, std::uint64_t seed) {
  CHECK(nodes >= 1, "nodes ", nodes);
  Topology topology;
  topology.config_ = config;
  topology.nodes_ = nodes;
  topology.seed_ = seed;
  if (config.name == "random_out") {
    if (config.degree < 1 || config.degree >= nodes)
      throw InputError("topology.degree: expected 1 <= degree < run.nodes, got degree {} for {} nodes", config.degree,
                       nodes);
    check_edge_count(std::int64_t{config.degree} * nodes, config, nodes);
    if (!config.redraw) topology.rounds_.push_back(random_out_round(nodes, config.degree, seed, 0));
  } else if (config.name == "file") {
    topology.rounds_ = read_topology_file(config.file, nodes);
  } else {
    topology.rounds_ = circulant_rounds(config, nodes);
  }
  topology.period_ = static_cast<std::int64_t>(topology.rounds_.size());
  if (config.name == "file") check_strongly_connected(topology, topology.period_);
  return topology;
}

bool depends_on_seed(const TopologyConfig& config) { return config.name == "random_out"; }

void check_strongly_connected(const Topology& topology, std::int64_t rounds) {
  if (topology.period() > 0) rounds = topology.period();
  std::vector<std::pair<int, int>> edges;
  int to = -1, back = -1;
  for (std::int64_t t = 0; t < rounds; ++t) {
    for (const Edge& edge : topology.round(t).edges) edges.emplace_back(edge.source, edge.target);
    const bool look = (t & (t + 1)) == 0 || t + 1 == rounds;  // after 1, 2, 4, ... rounds: the work stays linear
    if (!look) continue;
    to = first_unreached(topology.nodes(), edges, false);
    back = first_unreached(topology.nodes(), edges, true);
    if (to < 0 && back < 0) return;
  }
  if (to < 0 && back < 0) return;  // no rounds at all
  const std::string name = topology.config().name == "file" ? topology.config().file : topology.config().name;
  throw InputError("{}: not strongly connected over rounds 0 to {}: no path from node {} to node {}", name, rounds - 1,
                   to >= 0 ? 0 : back, to >= 0 ? to : 0);
}

}  // namespace sparsepush
