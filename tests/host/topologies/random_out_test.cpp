#include "kernels/mixing/random_out.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "host/topologies/generated.h"
#include "tests/backends.h"

namespace sparsepush {
namespace {

TEST(DrawCycle, IsThePermutationOfItsDraw) {
  for (const int nodes : {2, 3, 15, 16, 17, 1000})
    for (const int first : {0, 1, nodes / 2, nodes - 1})
      for (const VectorLevel level : tested_vector_levels()) {
        std::vector<std::int32_t> order(nodes - first);
        draw_cycle({.nodes = nodes, .degree = 1}, 1ull << 40 | 7, 5, first, order, level);
        for (int i = 0; i < nodes - first; ++i) {
          const auto wanted = static_cast<std::int32_t>(random_permutation(
              cycle_draw(1ull << 40 | 7, 5), static_cast<std::uint32_t>(first + i), static_cast<std::uint32_t>(nodes)));
          ASSERT_EQ(order[i], wanted) << nodes << ", " << first + i << ", " << name_of(level);
        }
      }
}

TEST(DrawTargets, AreDifferentOtherNodesAndTheNextIsTheFirst) {
  for (const auto& [nodes, degree] : std::vector<std::pair<int, int>>{{2, 1}, {3, 2}, {9, 4}, {9, 8}, {100, 99}})
    for (const auto& [source, next] : std::vector<std::pair<int, int>>{{0, 1}, {1, 0}, {nodes - 1, 0}}) {
      std::vector<std::int32_t> target(degree);
      draw_targets({.nodes = nodes, .degree = degree}, 1, 2, source, next, target.data());
      EXPECT_EQ(target[0], next);
      const std::set<std::int32_t> different(target.begin(), target.end());
      EXPECT_EQ(different.size(), target.size()) << nodes << ", " << degree;
      EXPECT_EQ(different.count(source), 0u);
      EXPECT_TRUE(0 <= *different.begin() && *different.rbegin() < nodes);
    }
}

struct Lists {
  std::vector<std::int64_t> begin = {0};
  std::vector<std::int32_t> slot;
};

/// The targets of every node in a round, as the topology is defined: the next node on a random cycle, and degree - 1 of
/// the others by Floyd's sampling, the lists written out.
std::vector<std::set<int>> targets_of(int nodes, int degree, std::uint64_t seed, std::int64_t round) {
  const auto step = static_cast<std::uint64_t>(round);
  const Draw cycle{.seed = seed, .purpose = Purpose::kTopology, .node = 0xffff'ffff, .step = step};
  std::vector<int> order;
  for (int i = 0; i < nodes; ++i)
    order.push_back(
        static_cast<int>(random_permutation(cycle, static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(nodes))));
  std::vector<std::set<int>> targets(nodes);
  for (int i = 0; i < nodes; ++i) {
    const int source = order[i], next = order[(i + 1) % nodes];
    std::vector<int> others;
    for (int node = 0; node < nodes; ++node)
      if (node != source && node != next) others.push_back(node);
    std::set<int> chosen;
    for (std::size_t end = others.size() - (degree - 1) + 1; end <= others.size(); ++end) {
      const Draw draw{.seed = seed,
                      .purpose = Purpose::kTopology,
                      .node = static_cast<std::uint64_t>(source),
                      .step = step,
                      .index = end};
      const int drawn = others[random_below(draw, end)];
      chosen.insert(chosen.contains(drawn) ? others[end - 1] : drawn);
    }
    chosen.insert(next);
    targets[source] = chosen;
  }
  return targets;
}

/// The in-edges of the round of every replica, whose rows stand side by side.
Lists lists_of(int nodes, int degree, const std::vector<std::uint64_t>& seeds, std::int64_t round) {
  Lists lists;
  for (int r = 0; r < std::ssize(seeds); ++r) {
    const std::vector<std::set<int>> targets = targets_of(nodes, degree, seeds[r], round);
    for (int node = 0; node < nodes; ++node) {
      for (int source = 0; source < nodes; ++source)
        if (targets[source].contains(node)) lists.slot.push_back(r * nodes + source);
      lists.begin.push_back(std::ssize(lists.slot));
    }
  }
  return lists;
}

TEST(RandomOutRound, HasTheEdgesOfItsDefinition) {
  const std::vector<std::set<int>> targets = targets_of(40, 7, 3, 5);
  const TopologyRound round = random_out_round(40, 7, 3, 5);
  std::vector<std::set<int>> seen(40);
  for (const Edge& e : round.edges) seen[e.source].insert(e.target);
  EXPECT_EQ(seen, targets);
  EXPECT_EQ(std::ssize(round.edges), 40 * 7);
}

template <class Backend>
class DrawRandomOutOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(DrawRandomOutOn, Backends);

TYPED_TEST(DrawRandomOutOn, AreTheRoundsOfTheTopologiesOfAllReplicas) {
  struct Case {
    int nodes, degree;
    std::vector<std::uint64_t> seeds;
  };
  for (const Case& c : {Case{2, 1, {1}}, Case{3, 2, {4, 5}}, Case{33, 5, {1ull << 40, 2, 3}}, Case{300, 2, {9, 10}},
                        Case{40, 39, {6}}}) {
    const int replicas = static_cast<int>(c.seeds.size()), rows = replicas * c.nodes, edges = rows * c.degree;
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      const Buffer<TypeParam, std::uint64_t> seed(backend, c.seeds);
      Buffer<TypeParam, std::int64_t> begin(backend, 1, rows + 1), number(backend, 1, 1);
      Buffer<TypeParam, std::int32_t> slot(backend, 1, edges);
      RandomOutScratch<TypeParam> scratch(backend, rows, edges);
      for (const std::int64_t round : {0, 1, 1000}) {
        number.assign(std::vector{round});
        draw_random_out(backend,
                        {.topology = {c.nodes, c.degree},
                         .seed = seed.span(),
                         .round = number.span().data(),
                         .begin = begin.span(),
                         .slot = slot.span()},
                        scratch);
        const Lists wanted = lists_of(c.nodes, c.degree, c.seeds, round);
        ASSERT_EQ(begin.to_host(), wanted.begin) << c.nodes << ", round " << round;
        ASSERT_EQ(slot.to_host(), wanted.slot) << c.nodes << ", round " << round;
      }
    });
  }
}

TEST(DrawRandomOut, RefusesOtherShapes) {
  std::vector<std::uint64_t> seed = {1, 2};
  std::vector<std::int64_t> begin(11);
  std::vector<std::int32_t> slot(20);
  const DrawRandomOut right{.topology = {5, 2}, .seed = seed, .begin = begin, .slot = slot};
  EXPECT_NO_THROW(check_draw_random_out_shapes(right));
  const auto refuses = [&](auto change) {
    DrawRandomOut other = right;
    change(other);
    EXPECT_THROW(check_draw_random_out_shapes(other), std::invalid_argument);
  };
  refuses([](DrawRandomOut& d) { d.topology = {.nodes = 2, .degree = 2}; });
  refuses([](DrawRandomOut& d) { d.topology.degree = 0; });
  refuses([](DrawRandomOut& d) { d.seed = d.seed.first(1); });
  refuses([](DrawRandomOut& d) { d.begin = d.begin.first(10); });
  refuses([](DrawRandomOut& d) { d.slot = d.slot.first(19); });
}

}  // namespace
}  // namespace sparsepush
