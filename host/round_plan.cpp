#include "host/round_plan.h"

#include <algorithm>
#include <set>

#include "host/mixing.h"
#include "kernels/check.h"

namespace sparsepush {

/// The arrays of a block while it is built.
struct HostBlock {
  std::vector<std::int64_t> first_round, first_edge = {0}, begin, copies;
  std::vector<std::int32_t> slot;
  std::vector<float> weight, self_weight;
};

namespace {

/// One round of every replica: who is in the halo, then all in-edges in slot numbers.
class RoundBuilder {
 public:
  RoundBuilder(const Shard& shard, std::vector<TopologyRound> replicas)
      : shard_(shard), replicas_(std::move(replicas)) {
    std::set<std::pair<int, int>> remote;
    for (int r = 0; r < shard_.replicas; ++r)
      for (const Edge& e : replica(r).edges)
        if (shard_.owns(e.target) && !shard_.owns(e.source)) remote.insert({r, e.source});
    for (const auto& [r, node] : remote) halo_.push_back({r, node});
  }

  const std::vector<NodeId>& halo() const { return halo_; }

  std::vector<std::int64_t> messages() const {
    std::vector<std::int64_t> counts;
    for (int r = 0; r < shard_.replicas; ++r) counts.push_back(static_cast<std::int64_t>(replica(r).edges.size()));
    return counts;
  }

  /// Appends the round's arrays; `begin` counts from the round's own first edge.
  void append_to(HostBlock& block, const std::vector<double>& eta, std::int64_t round) const {
    const std::size_t first_copies = block.copies.size();
    block.copies.resize(first_copies + shard_.rows(), 0);
    std::int64_t edges = 0;
    block.begin.push_back(0);
    for (int r = 0; r < shard_.replicas; ++r) {
      const TopologyRound& topology = replica(r);
      const MixingWeights weights = mixing_weights(topology, eta[r], round);
      std::size_t e = 0;
      while (e < topology.edges.size() && topology.edges[e].target < shard_.first()) ++e;
      for (int node = shard_.first(); node < shard_.first() + shard_.nodes(); ++node) {
        for (; e < topology.edges.size() && topology.edges[e].target == node; ++e, ++edges) {
          block.slot.push_back(slot_of({r, topology.edges[e].source}));
          block.weight.push_back(weights.edge[e]);
        }
        block.begin.push_back(edges);
        block.self_weight.push_back(weights.self[node]);
      }
      for (const Edge& edge : topology.edges)
        if (shard_.owns(edge.source)) ++block.copies[first_copies + shard_.row_of({r, edge.source})];
    }
  }

 private:
  const TopologyRound& replica(int r) const { return replicas_.size() == 1 ? replicas_.front() : replicas_[r]; }

  std::int32_t slot_of(NodeId id) const {
    if (shard_.owns(id.node)) return shard_.row_of(id);
    const auto before = [](const NodeId& a, const NodeId& b) {
      return std::pair(a.replica, a.node) < std::pair(b.replica, b.node);
    };
    return shard_.rows() + static_cast<std::int32_t>(std::ranges::lower_bound(halo_, id, before) - halo_.begin());
  }

  const Shard& shard_;
  std::vector<TopologyRound> replicas_;
  std::vector<NodeId> halo_;
};

RoundBuilder builder_of(const std::vector<Topology>& topologies, const Shard& shard, std::int64_t round) {
  std::vector<TopologyRound> rounds;
  for (const Topology& topology : topologies) rounds.push_back(topology.round(round));
  return {shard, std::move(rounds)};
}

}  // namespace

template <class Backend>
RoundPlan<Backend>::RoundPlan(const Backend& backend, const std::vector<Topology>& topologies, std::vector<double> eta,
                              const Shard& shard)
    : backend_(backend), topologies_(topologies), eta_(std::move(eta)), shard_(shard) {
  CHECK(topologies.size() == 1 || static_cast<int>(topologies.size()) == shard.replicas, "topologies ",
        topologies.size(), ", replicas ", shard.replicas);
  if (topologies.front().period() > 0) period_ = topologies.front().period();
  for (const Topology& t : topologies) CHECK(t.period() == topologies.front().period(), "period ", t.period());
  if (period_) {
    build(0, *period_);
  } else if (shard_.shards == 1) {
    build(0, 1);
    prepare_to_draw();
  }
}

template <class Backend>
void RoundPlan<Backend>::prepare_to_draw() {
  std::vector<std::uint64_t> seeds;
  for (int r = 0; r < shard_.replicas; ++r) seeds.push_back(topologies_[topologies_.size() == 1 ? 0 : r].seed());
  drawn_.emplace(
      Drawn{.seed = {backend_, seeds}, .scratch = {backend_, shard_.rows(), std::ssize(block_->slot.span())}});
}

/// Replaces the edges of the block's only round.
template <class Backend>
void RoundPlan<Backend>::draw(const std::int64_t* due) {
  draw_random_out(backend_,
                  {.topology = {.nodes = shard_.all_nodes, .degree = topologies_.front().config().degree},
                   .seed = drawn_->seed.span(),
                   .round = due,
                   .begin = block_->begin.span(),
                   .slot = block_->slot.span()},
                  drawn_->scratch);
}

template <class Backend>
PlannedRound RoundPlan<Backend>::load(std::int64_t t, const std::int64_t* due) {
  if (drawn_)
    draw(due);
  else if (!has(t))
    build(t, kRoundsAhead);
  due_->load(backend_, view(), due);
  return {.edges = due_->edges(), .halo = round(t).halo, .copies = due_->copies()};
}

template <class Backend>
void RoundPlan<Backend>::build(std::int64_t first_round, std::int64_t rounds) {
  HostBlock host;
  host.first_round = {first_round};
  rounds_.clear();
  first_round_ = first_round;
  for (std::int64_t t = first_round; t < first_round + rounds; ++t) {
    const RoundBuilder builder = builder_of(topologies_, shard_, t);
    builder.append_to(host, eta_, t);
    host.first_edge.push_back(std::ssize(host.slot));
    rounds_.push_back({.halo = builder.halo(), .messages = builder.messages()});
  }
  upload(host);
}

template <class Backend>
void RoundPlan<Backend>::upload(const HostBlock& host) {
  std::int64_t most_edges = 0;
  for (std::size_t k = 0; k < rounds_.size(); ++k)
    most_edges = std::max(most_edges, host.first_edge[k + 1] - host.first_edge[k]);
  block_.reset();
  block_.emplace(Block{{backend_, host.first_round},
                       {backend_, host.first_edge},
                       {backend_, host.begin},
                       {backend_, host.copies},
                       {backend_, host.slot},
                       {backend_, host.weight},
                       {backend_, host.self_weight}});
  due_.emplace(backend_, shard_.rows(), most_edges);
}

template <class Backend>
RoundBlock RoundPlan<Backend>::view() const {
  return {.nodes = shard_.rows(),
          .first_round = block_->first_round.span().data(),
          .first_edge = block_->first_edge.span(),
          .begin = block_->begin.span(),
          .copies = block_->copies.span(),
          .slot = block_->slot.span(),
          .weight = block_->weight.span(),
          .self_weight = block_->self_weight.span()};
}

template <class Backend>
int RoundPlan<Backend>::halo_bound(const std::vector<Topology>& topologies, const Shard& shard) {
  if (shard.shards == 1) return 0;
  if (topologies.front().period() == 0) return shard.all_rows() - shard.rows();
  std::size_t bound = 0;
  for (std::int64_t t = 0; t < topologies.front().period(); ++t)
    bound = std::max(bound, builder_of(topologies, shard, t).halo().size());
  return static_cast<int>(bound);
}

template class RoundPlan<Cpu>;
template class RoundPlan<Cuda>;

}  // namespace sparsepush
