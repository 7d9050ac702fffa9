#include "host/rounds/round_rules.h"

#include <algorithm>
#include <compare>
#include <iterator>
#include <numeric>
#include <span>
#include <utility>

#include "host/topologies/mixing.h"
#include "host/topologies/topologies.h"
#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

template <class T>
void sort_once(std::vector<T>& values) {
  std::ranges::sort(values);
  const auto repeated = std::ranges::unique(values);
  values.erase(repeated.begin(), repeated.end());
}

/// Lists the nodes of other shards that send along edges e for which counts(e), ascending.
template <class Counts>
std::vector<int> remote_sources(const Shard& shard, const std::vector<Edge>& edges, const Counts& counts) {
  std::vector<int> remote;
  for (std::size_t e = 0; e < edges.size(); ++e)
    if (shard.owns(edges[e].target) && !shard.owns(edges[e].source) && counts(e)) remote.push_back(edges[e].source);
  sort_once(remote);
  return remote;
}

/// A local row that another shard receives.
struct SentRow {
  int to = 0;
  std::int32_t row = 0;
  friend auto operator<=>(const SentRow&, const SentRow&) = default;
};

/// Lists the rows of a replica that are sent along edges e for which counts(e), in the order of a halo.
template <class Counts>
std::vector<SentRow> sent_rows(const Shard& shard, int replica, const std::vector<Edge>& edges, const Counts& counts) {
  std::vector<SentRow> sent;
  for (std::size_t e = 0; e < edges.size(); ++e)
    if (shard.owns(edges[e].source) && !shard.owns(edges[e].target) && counts(e))
      sent.push_back({shard.owner_of(edges[e].target), shard.row_of({replica, edges[e].source})});
  sort_once(sent);
  return sent;
}

/// Gives the weights of edges that are not delivered back to their senders, and sets them to 0, which no other edge
/// has. On the grid the sums are exact.
void return_to_senders(const RoundRules& rules, int replica, std::int64_t t, const std::vector<Edge>& edges,
                       MixingWeights& weights) {
  if (!rules.delivers) return;
  for (std::size_t e = 0; e < edges.size(); ++e)
    if (!rules.delivers(replica, t, edges[e])) weights.self[edges[e].source] += std::exchange(weights.edge[e], 0.0f);
}

/// Appends a replica's nodes to the round; its part of the halo stands behind those of the replicas before.
void append(const Shard& shard, int replica, const std::vector<Edge>& edges, const MixingWeights& weights,
            MadeRound& round, std::vector<SentRow>& sent) {
  const auto counts = [&](std::size_t e) { return weights.edge[e] != 0.0f; };
  const std::vector<int> remote = remote_sources(shard, edges, counts);
  const auto first_halo = static_cast<std::int32_t>(shard.rows() + round.halo.nodes.size());
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
  for (const int node : remote) round.halo.nodes.push_back({replica, node});
  if (shard.shards > 1) std::ranges::copy(sent_rows(shard, replica, edges, counts), std::back_inserter(sent));
}

/// Marks the rows that hear a node of another shard.
void mark_boundary(const Shard& shard, MadeRound& round) {
  for (int row = 0; row < shard.rows(); ++row) {
    const std::span<const std::int32_t> heard(round.slot.begin() + round.begin[row],
                                              round.slot.begin() + round.begin[row + 1]);
    round.is_boundary.push_back(std::ranges::any_of(heard, [&](std::int32_t slot) { return slot >= shard.rows(); }));
  }
}

/// Brings the halo, and what is sent, into the order of the other shards.
void group_by_shard(const Shard& shard, MadeRound& round, std::vector<SentRow>& sent) {
  const auto owner_of = [&](NodeId id) { return shard.owner_of(id.node); };
  std::vector<std::int32_t> order(round.halo.nodes.size()), place(order.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::int32_t h) { return owner_of(round.halo.nodes[h]); });
  std::vector<NodeId> nodes;
  round.halo.from.assign(shard.shards, 0);
  for (const std::int32_t h : order) {
    place[h] = static_cast<std::int32_t>(nodes.size());
    nodes.push_back(round.halo.nodes[h]);
    ++round.halo.from[owner_of(nodes.back())];
  }
  round.halo.nodes = std::move(nodes);
  for (std::int32_t& slot : round.slot)
    if (slot >= shard.rows()) slot = shard.rows() + place[slot - shard.rows()];

  std::ranges::sort(sent);
  round.halo.to.assign(shard.shards, 0);
  for (const auto& [to, row] : sent) {
    ++round.halo.to[to];
    round.halo.sent.push_back(row);
  }
}

}  // namespace

MadeRound make_round(const RoundRules& rules, const Shard& shard, std::int64_t t) {
  MadeRound round;
  round.begin.push_back(0);
  round.copies.resize(shard.rows(), 0);
  std::vector<SentRow> sent;
  for (int r = 0; r < shard.replicas; ++r) {
    TopologyRound topology{.edges = rules.edges(r, t), .self_weight = std::vector<double>(shard.all_nodes)};
    if (rules.weights) rules.weights(topology.edges);
    round.rate.push_back(rules.averaging_rate(r, t));
    MixingWeights weights = mixing_weights(topology, round.rate.back(), t);
    return_to_senders(rules, r, t, topology.edges, weights);
    append(shard, r, topology.edges, weights, round, sent);
  }
  if (shard.shards > 1) {
    mark_boundary(shard, round);
    group_by_shard(shard, round, sent);
  }
  return round;
}

RoundBounds topology_bounds(const std::vector<Topology>& topologies, const Shard& shard) {
  const Topology& any = topologies.front();
  if (any.period() == 0) {  // all edges might lead to one shard
    const TopologyKind& kind = topology_kind(any.config());
    const std::int64_t most = std::int64_t{shard.nodes()} * (shard.all_nodes - 1);
    const std::int64_t edges = kind.count_edges ? kind.count_edges(any.config(), shard.all_nodes) : most;
    return {
        .edges = shard.replicas * std::min(edges, most),
        .halo = shard.all_rows() - shard.rows(),
        .sent = static_cast<int>(std::min(std::int64_t{shard.rows()} * (shard.shards - 1), shard.replicas * edges))};
  }
  RoundBounds bounds;
  for (std::int64_t t = 0; t < any.period(); ++t) {
    RoundBounds round;
    for (const Topology& topology : topologies) {
      const std::vector<Edge>& edges = topology.stored_rounds()[t].edges;
      round.edges += std::ranges::count_if(edges, [&](const Edge& e) { return shard.owns(e.target); });
      const auto all = [](std::size_t) { return true; };
      round.halo += static_cast<int>(remote_sources(shard, edges, all).size());
      round.sent += static_cast<int>(sent_rows(shard, 0, edges, all).size());
    }
    const int alike = shard.replicas / static_cast<int>(topologies.size());
    bounds = {.edges = std::max(bounds.edges, alike * round.edges),
              .halo = std::max(bounds.halo, alike * round.halo),
              .sent = std::max(bounds.sent, alike * round.sent)};
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
