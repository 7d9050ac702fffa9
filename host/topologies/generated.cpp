#include "host/topologies/generated.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "data/files/input_error.h"
#include "host/topologies/edge_lists.h"
#include "kernels/backend/check.h"
#include "kernels/backend/vector_level.h"
#include "kernels/mixing/random_out.h"

namespace sparsepush {
namespace {

// Orders the edges by target, then source, by counting.
TopologyRound round_of(int nodes, int degree, const std::vector<std::int32_t>& targets) {
  std::vector<std::int64_t> place(static_cast<std::size_t>(nodes) + 1, 0);
  for (const int target : targets) ++place[target + 1];
  std::partial_sum(place.begin(), place.end(), place.begin());
  const double weight = 1.0 / (degree + 1);
  TopologyRound round{.edges = std::vector<Edge>(targets.size()), .self_weight = std::vector<double>(nodes, weight)};
  std::size_t edge = 0;
  for (int source = 0; source < nodes; ++source)
    for (int i = 0; i < degree; ++i, ++edge) round.edges[place[targets[edge]]++] = {source, targets[edge], weight};
  return round;
}

using Offsets = std::vector<int>;

/// A topology of circulant rounds, from the offsets of each round of its period.
TopologyKind circulant_row(const std::string& name, std::vector<Offsets> (*offsets)(int nodes)) {
  const auto rounds = [offsets](int nodes) { return nodes == 1 ? std::vector<Offsets>{{}} : offsets(nodes); };
  return {.name = name,
          .count_edges =
              [rounds](const TopologyConfig&, int nodes) {
                std::int64_t edges = 0;
                for (const Offsets& round : rounds(nodes)) edges += std::int64_t{nodes} * std::ssize(round);
                return edges;
              },
          .period =
              [rounds](const TopologyConfig&, int nodes, std::uint64_t) {
                std::vector<TopologyRound> period;
                for (const Offsets& round : rounds(nodes)) period.push_back(circulant_round(nodes, round));
                return period;
              }};
}

}  // namespace

TopologyRound circulant_round(int nodes, const std::vector<int>& offsets) {
  const double weight = 1.0 / (static_cast<double>(offsets.size()) + 1);
  TopologyRound round{.edges = {}, .self_weight = std::vector<double>(nodes, weight)};
  round.edges.reserve(offsets.size() * static_cast<std::size_t>(nodes));
  for (int target = 0; target < nodes; ++target) {
    const auto wrap = std::upper_bound(offsets.begin(), offsets.end(), target);  // larger ones come around from the end
    const auto push = [&](int offset) { round.edges.push_back({(target - offset + nodes) % nodes, target, weight}); };
    std::for_each(std::reverse_iterator(wrap), offsets.rend(), push);
    std::for_each(offsets.rbegin(), std::reverse_iterator(wrap), push);
  }
  return round;
}

std::vector<int> exponential_offsets(int nodes) {
  std::vector<int> offsets;
  for (std::int64_t offset = 1; offset < nodes; offset *= 2) offsets.push_back(static_cast<int>(offset));
  return offsets;
}

TopologyRound random_out_round(int nodes, int degree, std::uint64_t seed, std::int64_t t) {
  const RandomOut topology{.nodes = nodes, .degree = degree};
  CHECK(degree >= 1 && degree < nodes, "degree ", degree, " of ", nodes, " nodes");
  std::vector<std::int32_t> order(nodes), targets(static_cast<std::size_t>(nodes) * degree);
  draw_cycle(topology, seed, t, 0, order, best_vector_level());
  for (int i = 0; i < nodes; ++i)
    draw_targets(topology, seed, t, order[i], order[i + 1 < nodes ? i + 1 : 0],
                 &targets[static_cast<std::size_t>(order[i]) * degree]);
  return round_of(nodes, degree, targets);
}

TopologyKind directed_ring_row() {
  return circulant_row("directed_ring", [](int) { return std::vector<Offsets>{{1}}; });
}

TopologyKind complete_row() {
  return circulant_row("complete", [](int nodes) {
    Offsets all(nodes - 1);
    std::iota(all.begin(), all.end(), 1);
    return std::vector<Offsets>{all};
  });
}

TopologyKind exponential_row() {
  return circulant_row("exponential", [](int nodes) { return std::vector<Offsets>{exponential_offsets(nodes)}; });
}

TopologyKind one_peer_exponential_row() {
  return circulant_row("one_peer_exponential", [](int nodes) {
    std::vector<Offsets> rounds;
    for (const int offset : exponential_offsets(nodes)) rounds.push_back({offset});
    return rounds;
  });
}

TopologyKind random_out_row() {
  const auto round = [](const TopologyConfig& config, int nodes, std::uint64_t seed, std::int64_t t) {
    TopologyRound made = random_out_round(nodes, config.degree, seed, t);
    if (!config.undirected) return made;
    EdgeList edges;
    for (const Edge& edge : made.edges) edges.emplace_back(edge.source, edge.target);
    return uniform_round(nodes, both_ways(edges));
  };
  return {.name = "random_out",
          .keys = {"degree", "redraw", "undirected"},
          .depends_on_seed = true,
          .count_edges =
              [](const TopologyConfig& config, int nodes) {
                if (config.degree < 1 || config.degree >= nodes)
                  throw InputError("topology.degree: expected 1 <= degree < run.nodes, got degree {} for {} nodes",
                                   config.degree, nodes);
                return std::int64_t{config.degree} * nodes * (config.undirected ? 2 : 1);
              },
          .period = [round](const TopologyConfig& config, int nodes,
                            std::uint64_t seed) { return std::vector{round(config, nodes, seed, 0)}; },
          .redrawn = round,
          .connected_when_redrawn = true,
          .drawn_by_backends = [](const TopologyConfig& config,
                                  int nodes) { return RandomOut{.nodes = nodes, .degree = config.degree}; },
          .redrawn_doubly_stochastic =
              [](const TopologyConfig& config) {
                return config.undirected ? config.weights == "metropolis" : config.degree == 1;
              }};
}

TopologyKind three_rings_row() {
  return {.name = "three_rings", .only_nodes = 4, .period = [](const TopologyConfig&, int nodes, std::uint64_t) {
            std::vector<TopologyRound> rounds;
            for (const std::array<int, 4> ring : {std::array{0, 1, 2, 3}, {0, 3, 2, 1}, {0, 2, 1, 3}}) {
              EdgeList edges;
              for (std::size_t i = 0; i < ring.size(); ++i) edges.emplace_back(ring[i], ring[(i + 1) % ring.size()]);
              rounds.push_back(uniform_round(nodes, edges));
            }
            return rounds;
          }};
}

}  // namespace sparsepush
