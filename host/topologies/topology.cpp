#include "host/topologies/topology.h"

#include <fmt/format.h>

#include <numeric>
#include <utility>

#include "data/files/input_error.h"
#include "host/topologies/topologies.h"
#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kMostEdges = std::int64_t{1} << 27;  // of one period: 2 GiB of edges

void check_edge_count(std::int64_t edges, const TopologyConfig& config, int nodes) {
  if (edges > kMostEdges)
    throw InputError("topology.name: {} over {} nodes has {} edges; expected at most {}", config.name, nodes, edges,
                     kMostEdges);
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

const std::string& Topology::name() const {
  return has_key(topology_kind(config_), "file") ? config_.file : config_.name;
}

TopologyRound Topology::round(std::int64_t t) const {
  CHECK(t >= 0, "round ", t);
  if (period_ == 0) return topology_kind(config_).redrawn(config_, nodes_, seed_, t);
  return rounds_[static_cast<std::size_t>(t % period_)];
}

Topology make_topology(const TopologyConfig& config, int nodes, std::uint64_t seed) {
  CHECK(nodes >= 1, "nodes ", nodes);
  Topology topology;
  topology.config_ = config;
  topology.nodes_ = nodes;
  topology.seed_ = seed;
  const TopologyKind& kind = topology_kind(config);
  if (kind.count_edges) check_edge_count(kind.count_edges(config, nodes), config, nodes);
  const bool redrawn = config.redraw && kind.redrawn;
  if (!redrawn) topology.rounds_ = kind.period(config, nodes, seed);
  topology.period_ = static_cast<std::int64_t>(topology.rounds_.size());
  if (kind.is_given) check_strongly_connected(topology, topology.period_);
  return topology;
}

bool depends_on_seed(const TopologyConfig& config) { return topology_kind(config).depends_on_seed; }

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
  const bool may_add_ways = has_key(topology_kind(topology.config()), "undirected") && !topology.config().undirected;
  throw InputError("{}: not strongly connected over rounds 0 to {}: no path from node {} to node {}{}", topology.name(),
                   rounds - 1, to >= 0 ? 0 : back, to >= 0 ? to : 0,
                   may_add_ways ? "; if edges lead both ways, set topology.undirected = true" : "");
}

}  // namespace sparsepush
