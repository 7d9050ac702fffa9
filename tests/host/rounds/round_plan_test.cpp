#include "host/rounds/round_plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "host/topologies/mixing.h"
#include "kernels/backend/random.h"
#include "kernels/backend/repeated_work.h"
#include "kernels/nodes/step_clock.h"
#include "tests/backends.h"

namespace sparsepush {
namespace {

Topology topology(const std::string& name, int nodes, bool redraw, std::uint64_t seed) {
  TopologyConfig config;
  config.name = name;
  config.degree = 3;
  config.redraw = redraw;
  return make_topology(config, nodes, seed);
}

auto rates(std::vector<double> eta) {
  return [eta](int replica, std::int64_t) { return eta[replica]; };
}

/// Loses about a tenth of all edges.
bool arrives(int replica, std::int64_t t, const Edge& e) {
  return random_uniform({.seed = static_cast<std::uint64_t>(replica),
                         .purpose = Purpose::kTopology,
                         .node = static_cast<std::uint64_t>(e.source * 1000 + e.target),
                         .step = static_cast<std::uint64_t>(t)}) >= 0.1;
}

/// Edges with weights over nodes 0 .. nodes - 1 that differ from round to round in number, over a period.
std::vector<Edge> wandering_edges(int nodes, int period, std::int64_t t) {
  const auto round = static_cast<int>(t % period);
  std::vector<Edge> edges;
  for (int target = 0; target < nodes; ++target)
    for (int source = 0; source < nodes; ++source)
      if (source != target && (source + 2 * target + round) % (2 + round) == 0)
        edges.push_back({source, target, 0.9 / nodes});
  return edges;
}
RoundRules wandering_rules(int nodes, int period, RoundBounds bounds) {
  return {.period = period,
          .edges = [=](int, std::int64_t t) { return wandering_edges(nodes, period, t); },
          .weights = {},
          .delivers = {},
          .averaging_rate = [](int, std::int64_t) { return 0.5; },
          .bounds = [=](const Shard&) { return bounds; },
          .drawn = {}};
}

/// A round as (target, source) -> weight over global node numbers, with self weights as (node, node).
using Weights = std::map<std::pair<int, int>, float>;

/// By the definition.
Weights expected_weights(const RoundRules& rules, int nodes, int replica, std::int64_t t) {
  const TopologyRound round{.edges = rules.edges(replica, t), .self_weight = std::vector<double>(nodes)};
  const MixingWeights mixing = mixing_weights(round, rules.averaging_rate(replica, t), t);
  Weights all;
  for (int i = 0; i < nodes; ++i) all[{i, i}] = 0;
  for (std::size_t e = 0; e < round.edges.size(); ++e) {
    const Edge& edge = round.edges[e];
    if (rules.delivers && !rules.delivers(replica, t, edge)) continue;
    all[{edge.target, edge.source}] = mixing.edge[e];
    all[{edge.source, edge.source}] -= mixing.edge[e];
  }
  return all;
}

template <class Backend, class T>
std::vector<T> on_host(const Backend& backend, std::span<const T> values) {
  std::vector<T> there(values.size());
  copy(backend, there.data(), values.data(), values.size_bytes());
  return there;
}

template <class Backend>
struct Player {
  Player(const Backend& backend, const RoundRules& rules, const Shard& shard)
      : backend(backend), shard(shard), plan(backend, rules, shard), due(backend, 1, 1) {}

  PlannedRound play(std::int64_t t) {
    plan.prepare(t, t + 1);
    plan.play(t);
    due.assign(std::vector<std::int64_t>{t});
    return plan.at(due.span().data());
  }
  Weights weights(std::int64_t t, int replica) {
    const PlannedRound round = play(t);
    const auto begin = on_host(backend, round.edges.begin);
    const auto slot = on_host(backend, round.edges.slot);
    const auto weight = on_host(backend, round.edges.weight), self_weight = on_host(backend, round.edges.self_weight);
    const auto is_boundary = on_host(backend, round.edges.is_boundary);
    Weights weights;
    for (int row = 0; row < shard.rows(); ++row) {
      const NodeId target = shard.id_of(row);
      if (target.replica != replica) continue;
      weights[{target.node, target.node}] = self_weight[row];
      int last = -1;
      bool hears_others = false;
      for (auto e = begin[row]; e < begin[row + 1]; ++e) {
        const NodeId source =
            slot[e] < shard.rows() ? shard.id_of(slot[e]) : (*round.halo)->nodes[slot[e] - shard.rows()];
        EXPECT_EQ(source.replica, replica);
        EXPECT_GT(source.node, last) << "sources ascend";
        last = source.node;
        hears_others = hears_others || !shard.owns(source.node);
        weights[{target.node, source.node}] = weight[e];
      }
      if (shard.shards == 1) continue;
      EXPECT_EQ(is_boundary[row] != 0, hears_others) << "row " << row;
    }
    return weights;
  }

  const Backend& backend;
  const Shard shard;
  RoundPlan<Backend> plan;
  Buffer<Backend, std::int64_t> due;
};

template <class Backend>
class RoundPlanOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(RoundPlanOn, Backends);

TYPED_TEST(RoundPlanOn, ShardsTogetherHoldTheTopologysWeights) {
  const TypeParam backend = tested_backend<TypeParam>();
  for (const auto& [name, redraw] : std::map<std::string, bool>{
           {"directed_ring", false}, {"random_out", true}, {"one_peer_exponential", false}, {"complete", false}}) {
    const std::vector<Topology> topologies = {topology(name, 9, redraw, 5), topology(name, 9, redraw, 6)};
    RoundRules rules = topology_rules(topologies, 2, rates({0.25, 0.5}));
    for (int shards = 1; shards <= 5; ++shards) {
      if (shards == 5) rules.delivers = arrives;
      for (const std::int64_t t : {0, 1, 2, 15, 16, 40}) {
        Weights together[2];
        for (int s = 0; s < shards; ++s) {
          Player<TypeParam> player(backend, rules, {s, shards, 2, 9});
          for (int r = 0; r < 2; ++r) together[r].merge(player.weights(t, r));
          EXPECT_LE(static_cast<int>((*player.play(t).halo)->nodes.size()),
                    topology_bounds(topologies, player.shard).halo);
        }
        for (int r = 0; r < 2; ++r)
          EXPECT_EQ(together[r], expected_weights(rules, 9, r, t)) << name << ", shards " << shards << ", round " << t;
      }
    }
  }
}

TYPED_TEST(RoundPlanOn, CountsCopiesAlsoWhereTheyAreNotDelivered) {
  const TypeParam backend = tested_backend<TypeParam>();
  const std::vector<Topology> topologies = {topology("complete", 5, false, 1)};
  RoundRules rules = topology_rules(topologies, 2, rates({1.0, 1.0}));
  for (const bool loses : {false, true}) {
    if (loses) rules.delivers = [](int, std::int64_t, const Edge& e) { return e.source != 1; };
    Player<TypeParam> player(backend, rules, {0, 2, 2, 5});
    const PlannedRound round = player.play(3);
    EXPECT_EQ(on_host(backend, round.copies), std::vector<std::int64_t>(4, 4));
    EXPECT_EQ(player.weights(3, 1).contains({0, 1}), !loses);
  }
}

TYPED_TEST(RoundPlanOn, WhatIsNotDeliveredStaysWithItsSender) {
  const TypeParam backend = tested_backend<TypeParam>();
  const std::vector<Topology> topologies = {topology("random_out", 30, true, 1)};
  RoundRules rules = topology_rules(topologies, 1, rates({0.3}));
  rules.delivers = arrives;
  Player<TypeParam> player(backend, rules, {0, 1, 1, 30});
  std::size_t lost = 0;
  for (std::int64_t t = 0; t < 20; ++t) {
    const Weights weights = player.weights(t, 0);
    std::vector<double> column(30, 0.0);
    for (const auto& [edge, weight] : weights) column[edge.second] += weight;
    EXPECT_EQ(column, std::vector<double>(30, 0.0)) << "round " << t;
    lost += 30 + 90 - weights.size();
  }
  EXPECT_NEAR(static_cast<double>(lost), 0.1 * 90 * 20, 60);
}

TYPED_TEST(RoundPlanOn, TakesWeightsFromTheirRule) {
  const TypeParam backend = tested_backend<TypeParam>();
  const std::vector<Topology> topologies = {topology("directed_ring", 4, false, 1)};
  RoundRules rules = topology_rules(topologies, 1, rates({1.0}));
  rules.weights = [](std::vector<Edge>& edges) {
    for (Edge& edge : edges) edge.weight = edge.source == 2 ? 0.25 : 0.125;
  };
  Player<TypeParam> player(backend, rules, {0, 1, 1, 4});
  const Weights weights = player.weights(0, 0);
  EXPECT_EQ(weights.at({3, 2}), 0.25f);
  EXPECT_EQ(weights.at({2, 2}), -0.25f);
  EXPECT_EQ(weights.at({0, 3}), 0.125f);
}

TYPED_TEST(RoundPlanOn, GoesBackToEarlierRoundsOfARedrawnTopology) {
  const TypeParam backend = tested_backend<TypeParam>();
  const std::vector<Topology> topologies = {topology("random_out", 9, true, 5)};
  for (const int shards : {1, 3}) {
    Player<TypeParam> player(backend, topology_rules(topologies, 1, rates({1.0})), {0, shards, 1, 9});
    const Weights first = player.weights(2, 0);
    EXPECT_NE(player.weights(100, 0), first);
    EXPECT_EQ(player.weights(2, 0), first);
  }
}

TYPED_TEST(RoundPlanOn, MakesAPeriodOnceForEveryRate) {
  const TypeParam backend = tested_backend<TypeParam>();
  RoundRules rules = wandering_rules(5, 7, {.edges = 20});
  int made = 0;
  rules.edges = [&](int, std::int64_t t) {
    ++made;
    return wandering_edges(5, 7, t);
  };
  rules.averaging_rate = [](int, std::int64_t t) { return t < 30 ? 0.5 : 1.0; };
  Player<TypeParam> player(backend, rules, {0, 1, 1, 5});
  for (std::int64_t t = 0; t < 60; ++t) {
    player.play(t);
    EXPECT_EQ(made, t < 30 ? 7 : 14) << "round " << t;
  }
}

TYPED_TEST(RoundPlanOn, RefusesWhatItHasNotPrepared) {
  const TypeParam backend = tested_backend<TypeParam>();
  const std::vector<Topology> topologies = {topology("random_out", 9, true, 5)};
  RoundPlan<TypeParam> plan(backend, topology_rules(topologies, 1, rates({1.0})), {0, 2, 1, 9});
  EXPECT_NO_THROW(plan.play(15));
  EXPECT_THROW(plan.play(16), std::invalid_argument);
  EXPECT_NO_THROW(plan.prepare(10, 10 + kRoundsAhead));
  EXPECT_NO_THROW(plan.play(16));
  EXPECT_THROW(plan.prepare(10, 11 + kRoundsAhead), std::invalid_argument);
  EXPECT_THROW(plan.prepare(10, 10), std::invalid_argument);
}

/// u of nodes that mix their push weights in `rounds` rounds from 1, 2, ..., by the definition.
std::vector<double> mixed_by_definition(const RoundRules& rules, int nodes, std::int64_t rounds) {
  std::vector<double> u(nodes);
  for (int i = 0; i < nodes; ++i) u[i] = i + 1;
  for (std::int64_t t = 0; t < rounds; ++t) {
    const Weights weights = expected_weights(rules, nodes, 0, t);
    const std::vector<double> before = u;
    for (int i = 0; i < nodes; ++i) u[i] = std::fma(weights.at({i, i}), before[i], before[i]);
    for (const auto& [edge, weight] : weights)
      if (edge.first != edge.second) u[edge.first] = std::fma(weight, before[edge.second], u[edge.first]);
  }
  return u;
}

/// The same in recorded work, which the host launches without ever waiting for it.
template <class Backend>
std::vector<double> mixed_by_records(const RoundRules& rules, int nodes, std::int64_t rounds) {
  const Backend backend = tested_backend<Backend>();
  std::vector<double> start(nodes);
  for (int i = 0; i < nodes; ++i) start[i] = i + 1;
  const Buffer<Backend, double> u(backend, start), before(backend, 1, nodes);
  const Buffer<Backend, std::uint8_t> diverged(backend, 1, nodes);
  const Buffer<Backend, StepClock> clock(backend, 1, 1);
  RoundPlan<Backend> plan(backend, rules, {0, 1, 1, nodes});
  RepeatedWork<Backend> work;
  const auto prepare = [&](std::int64_t first, std::int64_t last) {
    if (plan.prepare(first, last)) work.forget();
  };
  for (std::int64_t t = 0; t < rounds; ++t) {
    prepare(t, t + 1);
    plan.play(t);
    work.run(backend, 0, t, [&] {
      const PlannedRound round = plan.at(&clock.span().data()->round);
      copy_within(backend, before.span().data(), u.span().data(), u.span().size_bytes());
      mix_push_weights(backend, round.edges, before.span(), u.span());
      end_step(backend, diverged.span(), 1, clock.span());
    });
    prepare(t + 1, t + 1 + kRoundsAhead);
  }
  return u.to_host();
}

/// That records play what the rules say, whatever the order of streams; u's sum stays.
template <class Backend>
void expect_played(const RoundRules& rules, int nodes) {
  constexpr std::int64_t kRounds = 6 * kRoundsAhead + 5;
  const std::vector<double> expected = mixed_by_definition(rules, nodes, kRounds);
  for_each_stream_order<Backend>([&] {
    const std::vector<double> u = mixed_by_records<Backend>(rules, nodes, kRounds);
    EXPECT_EQ(u, expected);
    double sum = 0;
    for (const double v : u) sum += v;
    EXPECT_NEAR(sum, nodes * (nodes + 1) / 2.0, 1e-12 * nodes * nodes);
  });
}

TYPED_TEST(RoundPlanOn, PlaysRoundsThatTheHostOrTheBackendDraws) {
  const std::vector<Topology> topologies = {topology("random_out", 9, true, 5)};
  RoundRules rules = topology_rules(topologies, 1, [](int, std::int64_t t) { return t < 50 ? 0.3 : 1.0; });
  {
    SCOPED_TRACE("by the backend");
    expect_played<TypeParam>(rules, 9);
  }
  rules.drawn.reset();
  expect_played<TypeParam>(rules, 9);
}

TYPED_TEST(RoundPlanOn, PlaysAPeriodWhoseRatesChange) {
  RoundRules rules = wandering_rules(6, 7, {.edges = 30});
  rules.averaging_rate = [](int, std::int64_t t) { return t < 33 ? 0.5 : t < 35 ? 0.25 : 1.0; };
  expect_played<TypeParam>(rules, 6);
}

TYPED_TEST(RoundPlanOn, PlaysRoundsThatAreNotAllDelivered) {
  RoundRules rules = wandering_rules(6, 7, {.edges = 30});
  rules.delivers = arrives;
  expect_played<TypeParam>(rules, 6);
}

TYPED_TEST(RoundPlanOn, PlaysRoundsThatOutgrowTheirPlaces) {
  RoundRules rules = wandering_rules(6, 0, {.edges = 1});
  rules.edges = [](int, std::int64_t t) {
    std::vector<Edge> edges = wandering_edges(6, 11, 10 - std::min<std::int64_t>(t / 8, 10));
    if (t < 3) edges.resize(1);
    return edges;
  };
  expect_played<TypeParam>(rules, 6);
}

}  // namespace
}  // namespace sparsepush
