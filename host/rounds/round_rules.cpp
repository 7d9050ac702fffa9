#include "host/rounds/round_rules.h"

#include <algorithm>
#include <utility>

#include "host/topologies/mixing.h"
#include "host/topologies/topologies.h"
#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

/// Lists the nodes of other shards that send along edges e for which counts(e), ascending.
template <class Counts>
std::vector<int> remote_sources(const Shard& shard, const std::vector<Edge>& edges, const Counts& counts) {
  std::vector<int> remote;
  for (std::size_t e = 0; e < edges.size(); ++e)
    if (shard.owns(edges[e].target) && !shard.owns(edges[e].source) && counts(e)) remote.push_back(edges[e].source);
  std::ranges::sort(remote);
  const auto repeated = std::ranges::unique(remote);
  remote.erase(repeated.begin(), repeated.end());
  return remote;
}

/// Gives the weights of edges that are not delivered back to their senders, and sets them to 0, which no other edge
/// has. On the grid the sums are exact.
void return_to_senders(const RoundRules& rules, int replica, std::int64_t t, const std::vector<Edge>& edges,
                       MixingWeights& weights) {
  if (!rules.delivers) return;
  for (std::size_t e = 0; e < edges.size(); ++e)
    if (!rules.delivers(replica, t, edges[e])) weights.self[edges[e].source] += std::exchange(weights.edge[e], 0.0f);
}

/// Appends a replica's nodes to the round.
void append(const Shard& shard, int replica, const std::vector<Edge>& edges, const MixingWeights& weights,
            MadeRound& round) {
  const std::vector<int> remote = remote_sources(shard, edges, [&](std::size_t e) { return weights.edge[e] != 0.0f; });
  const auto first_halo = static_cast<std::int32_t>(shard.rows() + round.halo.size());
  const auto slot_of = [&](int node) {
    if (shard.owns(node)) return static_cast<std::int32_t>(shard.row_of({replica, node}));
    return first_halo + static_cast<std::int32_t>(std::ranges::lower_bound(remote, node) - remote.begin());
  };
  std::size_t e = 0;
  while (e < edges.size() && edges[e].target < shard.first()) ++e;
  for (int node = shard.first(); node < shard.first() + shard.nodes(); ++node) {
    for (; e < edges.size() && edges[e].target == node; ++e) {
      if (weights.edge[e] == 0.0f) continue;
      round.slot.push_back(slot_of(edges[e].source));
      round.weight.push_back(weights.edge[e]);
    }
    round.begin.push_back(std::ssize(round.slot));
    round.self_weight.push_back(weights.self[node]);
  }
  for (const Edge& edge : edges)
    if (shard.owns(edge.source)) ++round.copies[shard.row_of({replica, edge.source})];
  for (const int node : remote) round.halo.push_back({replica, node});
}

}  // namespace

MadeRound make_round(const RoundRules& rules, const Shard& shard, std::int64_t t) {
  MadeRound round;
  round.begin.push_back(0);
  round.copies.resize(shard.rows(), 0);
  for (int r = 0; r < shard.replicas; ++r) {
    TopologyRound topology{.edges = rules.edges(r, t), .self_weight = std::vector<double>(shard.all_nodes)};
    if (rules.weights) rules.weights(topology.edges);
    round.rate.push_back(rules.averaging_rate(r, t));
    MixingWeights weights = mixing_weights(topology, round.rate.back(), t);
    return_to_senders(rules, r, t, topology.edges, weights);
    append(shard, r, topology.edges, weights, round);
  }
  return round;
}

RoundBounds topology_bounds(const std::vector<Topology>& topologies, const Shard& shard) {
  const Topology& any = topologies.front();
  if (any.period() == 0) {  // all edges might lead to one shard
    const TopologyKind& kind = topology_kind(any.config());
    const std::int64_t most = std::int64_t{shard.nodes()} * (shard.all_nodes - 1);
    const std::int64_t edges = kind.count_edges ? kind.count_edges(any.config(), shard.all_nodes) : most;
    return {.edges = shard.replicas * std::min(edges, most), .halo = shard.all_rows() - shard.rows()};
  }
  RoundBounds bounds;
  for (std::int64_t t = 0; t < any.period(); ++t) {
    RoundBounds round;
    for (const Topology& topology : topologies) {
      const std::vector<Edge>& edges = topology.stored_rounds()[t].edges;
      round.edges += std::ranges::count_if(edges, [&](const Edge& e) { return shard.owns(e.target); });
      round.halo += static_cast<int>(remote_sources(shard, edges, [](std::size_t) { return true; }).size());
    }
    const int alike = shard.replicas / static_cast<int>(topologies.size());
    bounds = {.edges = std::max(bounds.edges, alike * round.edges), .halo = std::max(bounds.halo, alike * round.halo)};
  }
  return bounds;
}

RoundRules topology_rules(const std::vector<Topology>& topologies, int replicas,
                          std::function<double(int replica, std::int64_t t)> averaging_rate) {
  CHECK(topologies.size() == 1 || static_cast<int>(topologies.size()) == replicas, "topologies ", topologies.size(),
        ", replicas ", replicas);
  const Topology& any = topologies.front();
  for (const Topology& t : topologies) CHECK(t.period() == any.period(), "period ", t.period());
  const auto of = [&topologies](int replica) -> const Topology& {
    return topologies[topologies.size() == 1 ? 0 : replica];
  };
  RoundRules rules{.period = any.period(),
                   .edges = [of](int replica, std::int64_t t) { return of(replica).round(t).edges; },
                   .weights = {},
                   .delivers = {},
                   .averaging_rate = std::move(averaging_rate),
                   .bounds = [&topologies](const Shard& shard) { return topology_bounds(topologies, shard); },
                   .drawn = {}};
  const TopologyKind& kind = topology_kind(any.config());
  if (any.period() == 0 && kind.drawn_by_backends && !any.config().undirected) {
    rules.drawn = DrawnRounds{.topology = kind.drawn_by_backends(any.config(), any.nodes()), .seed = {}};
    for (int r = 0; r < replicas; ++r) rules.drawn->seed.push_back(of(r).seed());
  }
  return rules;
}

}  // namespace sparsepush
