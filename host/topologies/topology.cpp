#include "host/topologies/topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "data/files/input_error.h"
#include "host/topologies/edge_lists.h"
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

// Metropolis weights, where they are asked for; kinds make uniform ones. Rounds of files may have weights of their own.
void set_weights(TopologyRound& round, const TopologyConfig& config, std::int64_t t) {
  if (config.weights == "metropolis" && !topology_kind(config).has_own_weights)
    set_metropolis_weights(round, config.file.empty() ? config.name : config.file, t);
}

/// Two nodes without a path from the first to the second in the union of rounds.
using NoPath = std::optional<std::pair<int, int>>;

/// Looks at the rounds first, first + stride, ... below `rounds`.
NoPath missing_path(const Topology& topology, std::int64_t rounds, std::int64_t first = 0, std::int64_t stride = 1) {
  EdgeList edges;
  NoPath missing;
  for (std::int64_t t = first, k = 0; t < rounds; t += stride, ++k) {
    for (const Edge& edge : topology.round(t).edges) edges.emplace_back(edge.source, edge.target);
    const bool look = (k & (k + 1)) == 0 || t + stride >= rounds;  // after 1, 2, 4, ...: the work stays linear
    if (!look) continue;
    const int to = first_unreached(topology.nodes(), edges, false),
              back = first_unreached(topology.nodes(), edges, true);
    if (to < 0 && back < 0) return std::nullopt;
    missing = to >= 0 ? std::pair(0, to) : std::pair(back, 0);
  }
  return missing;
}

}  // namespace

const std::string& Topology::name() const {
  return has_key(topology_kind(config_), "file") ? config_.file : config_.name;
}

TopologyRound Topology::round(std::int64_t t) const {
  CHECK(t >= 0, "round ", t);
  if (period_ == 0) {
    TopologyRound round = topology_kind(config_).redrawn(config_, nodes_, seed_, t);
    set_weights(round, config_, t);
    return round;
  }
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
  if (kind.only_nodes > 0 && nodes != kind.only_nodes)
    throw InputError("topology.name: {} is for {} nodes; run.nodes is {}", config.name, kind.only_nodes, nodes);
  if (!is_redrawn(config)) topology.rounds_ = kind.period(config, nodes, seed);
  topology.period_ = static_cast<std::int64_t>(topology.rounds_.size());
  for (std::int64_t t = 0; t < topology.period_; ++t) set_weights(topology.rounds_[t], config, t);
  if (kind.is_given) check_strongly_connected(topology, topology.period_);
  return topology;
}

bool depends_on_seed(const TopologyConfig& config) { return topology_kind(config).depends_on_seed; }

void check_strongly_connected(const Topology& topology, std::int64_t rounds) {
  if (topology.period() > 0) rounds = topology.period();
  const NoPath missing = missing_path(topology, rounds);
  if (!missing) return;
  const bool may_add_ways = has_key(topology_kind(topology.config()), "undirected") && !topology.config().undirected;
  throw InputError("{}: not strongly connected over rounds 0 to {}: no path from node {} to node {}{}", topology.name(),
                   rounds - 1, missing->first, missing->second,
                   may_add_ways ? "; if edges lead both ways, set topology.undirected = true" : "");
}

void check_blocks_connected(const Topology& topology, std::int64_t blocks, std::int64_t rounds) {
  const std::int64_t period = topology.period(), stride = period > 0 ? std::gcd(blocks, period) : blocks;
  if (period > 0) rounds = period;
  if (period == 0 && topology_kind(topology.config()).connected_when_redrawn) return;  // in every round
  for (std::int64_t first = 0; first < std::min(stride, rounds); ++first)
    if (const NoPath missing = missing_path(topology, rounds, first, stride))
      throw InputError(
          "algorithm.blocks: with {} blocks those of rounds {}, {}, ... are mixed over edges of {} that are not "
          "strongly "
          "connected: no path from node {} to node {}; choose {}",
          blocks, first, first + stride, topology.name(), missing->first, missing->second,
          period > 0 ? fmt::format("a number that has no divisor in common with its {} rounds", period)
                     : "fewer, or make more steps");
}

}  // namespace sparsepush
