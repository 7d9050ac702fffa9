#include "host/round_plan.h"

#include <gtest/gtest.h>

#include <map>

#include "host/mixing.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

Topology topology(const std::string& name, int nodes, bool redraw, std::uint64_t seed) {
  TopologyConfig config;
  config.name = name;
  config.degree = 3;
  config.redraw = redraw;
  return make_topology(config, nodes, seed);
}

/// A shard's round as (target, source) -> weight over global node numbers, with self weights as (node, node).
using Weights = std::map<std::pair<int, int>, float>;

Weights weights_of(const PlannedRound& round, const Shard& shard, int replica) {
  Weights weights;
  for (int row = 0; row < shard.rows(); ++row) {
    const NodeId target = shard.id_of(row);
    if (target.replica != replica) continue;
    weights[{target.node, target.node}] = round.edges.self_weight[row];
    int last = -1;
    for (auto e = round.edges.begin[row]; e < round.edges.begin[row + 1]; ++e) {
      const int slot = round.edges.slot[e];
      const NodeId source = slot < shard.rows() ? shard.id_of(slot) : round.halo[slot - shard.rows()];
      EXPECT_EQ(source.replica, replica);
      EXPECT_GT(source.node, last) << "sources ascend";
      last = source.node;
      weights[{target.node, source.node}] = round.edges.weight[e];
    }
  }
  return weights;
}

TEST(RoundPlan, ShardsTogetherHoldTheTopologysWeights) {
  const Cpu cpu = tested_cpu(1);
  for (const auto& [name, redraw] : std::map<std::string, bool>{
           {"directed_ring", false}, {"random_out", true}, {"one_peer_exponential", false}, {"complete", false}}) {
    const std::vector<Topology> topologies = {topology(name, 9, redraw, 5), topology(name, 9, redraw, 6)};
    for (int shards = 1; shards <= 4; ++shards)
      for (const std::int64_t t : {0, 1, 2, 15, 16, 40}) {
        Weights together[2];
        for (int s = 0; s < shards; ++s) {
          const Shard shard{s, shards, 2, 9};
          RoundPlan<Cpu> plan(cpu, topologies, {0.25, 0.5}, shard);
          const PlannedRound round = plan.load(t, &t);
          EXPECT_LE(static_cast<int>(round.halo.size()), RoundPlan<Cpu>::halo_bound(topologies, shard));
          for (int r = 0; r < 2; ++r) together[r].merge(weights_of(round, shard, r));
        }
        for (int r = 0; r < 2; ++r) {
          const TopologyRound expected = topologies[r].round(t);
          const MixingWeights mixing = mixing_weights(expected, r == 0 ? 0.25 : 0.5, t);
          Weights all;
          for (std::size_t e = 0; e < expected.edges.size(); ++e)
            all[{expected.edges[e].target, expected.edges[e].source}] = mixing.edge[e];
          for (int i = 0; i < 9; ++i) all[{i, i}] = mixing.self[i];
          EXPECT_EQ(together[r], all) << name << ", shards " << shards << ", round " << t;
        }
      }
  }
}

TEST(RoundPlan, CountsMessagesAndCopies) {
  const Cpu cpu = tested_cpu(1);
  const std::vector<Topology> topologies = {topology("complete", 5, false, 1)};
  RoundPlan<Cpu> plan(cpu, topologies, {1.0, 1.0}, {0, 2, 2, 5});
  const std::int64_t due = 3;
  const PlannedRound round = plan.load(due, &due);
  EXPECT_EQ(std::vector<std::int64_t>(plan.messages(due).begin(), plan.messages(due).end()),
            (std::vector<std::int64_t>{20, 20}));
  EXPECT_EQ(std::vector<std::int64_t>(round.copies.begin(), round.copies.end()), std::vector<std::int64_t>(4, 4));
}

TEST(RoundPlan, GoesBackToEarlierRoundsOfARedrawnTopology) {
  const Cpu cpu = tested_cpu(1);
  const Shard shard{0, 1, 1, 9};
  const std::vector<Topology> topologies = {topology("random_out", 9, true, 5)};
  RoundPlan<Cpu> plan(cpu, topologies, {1.0}, shard);
  const auto weights = [&](std::int64_t t) { return weights_of(plan.load(t, &t), shard, 0); };
  const Weights first = weights(2);
  EXPECT_NE(weights(100), first);
  EXPECT_EQ(weights(2), first);
}

}  // namespace
}  // namespace sparsepush
