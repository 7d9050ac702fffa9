// Random topologies that are drawn until they are connected.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <optional>
#include <set>

#include "data/files/input_error.h"
#include "host/topologies/edge_lists.h"
#include "host/topologies/undirected.h"
#include "kernels/backend/random.h"

namespace sparsepush {
namespace {

constexpr int kMostAttempts = 1000, kLeastAttempts = 3;
constexpr std::int64_t kMostWork = 1 << 28;  // random numbers and distances of all attempts: some ten seconds
constexpr double kHopeless = 14;  // nodes alone on average: that none is has a chance of e^-14 or so in an attempt
constexpr std::uint64_t kAllNodes = 0xffff'ffff;            // a draw of no single node
constexpr std::int64_t kMostPairs = std::int64_t{1} << 30;  // that are drawn or measured one by one: some ten seconds

Draw draw_of(std::uint64_t seed, std::uint64_t node, std::uint64_t step, std::uint64_t index = 0) {
  return {.seed = seed, .purpose = Purpose::kTopology, .node = node, .step = step, .index = index};
}

/// The edges of attempt `step`, both ways where they have no direction; nothing if the attempt came to an end.
using Attempt =
    std::function<std::optional<EdgeList>(const TopologyConfig&, int nodes, std::uint64_t seed, std::uint64_t step)>;

/// A topology that is drawn until it is connected.
struct Drawn {
  Attempt attempt;
  std::string_view raise;                                       ///< the key that makes it denser
  std::int64_t (*work)(const TopologyConfig&, int nodes);       ///< of an attempt, as kMostWork counts
  double (*alone)(const TopologyConfig&, int nodes) = nullptr;  ///< nodes without edges on average, at least

  int most_attempts(const TopologyConfig& config, int nodes) const {
    const std::int64_t affordable = kMostWork / std::max<std::int64_t>(1, work(config, nodes));
    return static_cast<int>(std::clamp<std::int64_t>(affordable, kLeastAttempts, kMostAttempts));
  }
};

struct ConnectedDraw {
  std::uint64_t step = 0;
  EdgeList edges;
};

/// The first attempt that connects all nodes, if one does.
std::optional<ConnectedDraw> find_connected(const TopologyConfig& config, int nodes, std::uint64_t seed,
                                            const Drawn& drawn) {
  for (int a = 0; a < drawn.most_attempts(config, nodes); ++a) {
    auto edges = drawn.attempt(config, nodes, seed, a);
    if (edges && first_unreached(nodes, *edges, false) < 0 && first_unreached(nodes, *edges, true) < 0)
      return ConnectedDraw{static_cast<std::uint64_t>(a), std::move(*edges)};
  }
  return std::nullopt;
}

ConnectedDraw connected_draw(const TopologyConfig& config, int nodes, std::uint64_t seed, const Drawn& drawn) {
  if (nodes == 1) return {};
  if (const double alone = drawn.alone ? drawn.alone(config, nodes) : 0; alone > kHopeless)
    throw InputError("{}: leaves some {:.0f} of {} nodes of {} without an edge; raise it", drawn.raise, alone, nodes,
                     config.name);
  if (auto found = find_connected(config, nodes, seed, drawn)) return std::move(*found);
  throw InputError("{}: none of {} draws of {} connects all {} nodes; raise it", drawn.raise,
                   drawn.most_attempts(config, nodes), config.name, nodes);
}

void check_degree(const TopologyConfig& config, int nodes, bool holds, const std::string& expected) {
  if (nodes > 1 && !holds)
    throw InputError("topology.degree: expected {} with {}, got degree {} for {} nodes", expected, config.name,
                     config.degree, nodes);
}

void check_pairs(const TopologyConfig& config, int nodes) {
  if (std::int64_t{nodes} * nodes > kMostPairs)
    throw InputError(
        "topology.name: {} looks at all pairs of nodes; expected run.nodes * run.nodes <= {}, got {} nodes",
        config.name, kMostPairs, nodes);
}

std::optional<EdgeList> regular_attempt(const TopologyConfig& config, int nodes, std::uint64_t seed,
                                        std::uint64_t step) {
  std::vector<int> open;  // a node as often as it lacks edges
  for (int node = 0; node < nodes; ++node) open.insert(open.end(), config.degree, node);
  std::set<std::pair<int, int>> joined;
  for (std::uint64_t pass = 0; !open.empty(); ++pass) {
    const Draw draw = draw_of(seed, pass, step);
    const auto count = static_cast<std::uint32_t>(open.size());
    std::vector<int> order, left;
    for (std::uint32_t i = 0; i < count; ++i) order.push_back(open[random_permutation(draw, i, count)]);
    for (std::size_t i = 0; i + 1 < order.size(); i += 2) {
      const auto edge = std::minmax(order[i], order[i + 1]);
      if (edge.first == edge.second || !joined.insert(edge).second) left.insert(left.end(), {order[i], order[i + 1]});
    }
    if (left.size() == open.size()) return std::nullopt;
    open = std::move(left);
  }
  return both_ways({joined.begin(), joined.end()});
}

std::int64_t edge_work(const TopologyConfig& config, int nodes) {
  return std::int64_t{nodes} * config.degree * 10;  // some passes over them
}

/// All edges that are not among `edges`, which lead both ways.
EdgeList complement(int nodes, const EdgeList& edges) {
  const std::set<std::pair<int, int>> joined(edges.begin(), edges.end());
  EdgeList others;
  for (int i = 0; i < nodes; ++i)
    for (int j = 0; j < nodes; ++j)
      if (i != j && !joined.contains({i, j})) others.emplace_back(i, j);
  return others;
}

/// Of a degree so large that attempts find no partners for the last nodes: what a regular graph of few edges leaves
/// out.
std::optional<EdgeList> dense_regular_attempt(const TopologyConfig& config, int nodes, std::uint64_t seed,
                                              std::uint64_t step) {
  TopologyConfig sparse = config;
  sparse.degree = nodes - 1 - config.degree;
  const auto edges = regular_attempt(sparse, nodes, seed, step);
  return edges ? std::optional(complement(nodes, *edges)) : std::nullopt;
}

std::vector<TopologyRound> random_regular(const TopologyConfig& config, int nodes, std::uint64_t seed) {
  const Drawn drawn{.attempt = regular_attempt, .raise = "topology.degree", .work = edge_work};
  if (nodes > 1 && 2 * config.degree >= nodes) {
    auto found = find_connected(config, nodes, seed, drawn);
    if (!found) found = find_connected(config, nodes, seed, {dense_regular_attempt, "", edge_work});
    if (found) return {uniform_round(nodes, std::move(found->edges))};
  }
  return {uniform_round(nodes, connected_draw(config, nodes, seed, drawn).edges)};
}

std::optional<EdgeList> erdos_renyi_attempt(const TopologyConfig& config, int nodes, std::uint64_t seed,
                                            std::uint64_t step) {
  EdgeList edges;
  for (int i = 0; i < nodes; ++i)
    for (int j = config.undirected ? i + 1 : 0; j < nodes; ++j)
      if (i != j && random_uniform(draw_of(seed, i, step, j)) < config.probability) edges.emplace_back(i, j);
  return config.undirected ? both_ways(edges) : edges;
}

/// Number `index` of the nodes that are not in `taken`, ascending.
int node_outside(const std::set<int>& taken, std::uint64_t index) {
  auto node = static_cast<int>(index);
  for (const int other : taken) {
    if (other > node) break;
    ++node;
  }
  return node;
}

std::optional<EdgeList> small_world_attempt(const TopologyConfig& config, int nodes, std::uint64_t seed,
                                            std::uint64_t step) {
  std::vector<std::set<int>> joined(nodes);
  const auto join = [&](int a, int b) {
    joined[a].insert(b);
    joined[b].insert(a);
  };
  for (int l = 1; l <= config.degree / 2; ++l)
    for (int i = 0; i < nodes; ++i) join(i, (i + l) % nodes);
  for (int l = 1; l <= config.degree / 2; ++l)
    for (int i = 0; i < nodes; ++i) {
      if (!(random_uniform(draw_of(seed, i, step, 2 * l)) < config.probability)) continue;
      std::set<int> taken = joined[i];
      taken.insert(i);
      const std::uint64_t free = nodes - taken.size();
      if (free == 0) continue;
      const int other = (i + l) % nodes;
      joined[i].erase(other);
      joined[other].erase(i);
      join(i, node_outside(taken, random_below(draw_of(seed, i, step, 2 * l + 1), free)));
    }
  EdgeList edges;
  for (int i = 0; i < nodes; ++i)
    for (const int other : joined[i]) edges.emplace_back(i, other);
  return edges;
}

double radius_of(const TopologyConfig& config, int nodes) {
  return config.radius > 0 ? config.radius : std::sqrt(2 * std::log(nodes) / nodes);
}

std::vector<Point> geometric_points(int nodes, std::uint64_t seed, std::uint64_t step) {
  std::vector<Point> points;
  for (int i = 0; i < nodes; ++i)
    points.push_back({random_uniform(draw_of(seed, i, step, 0)), random_uniform(draw_of(seed, i, step, 1))});
  return points;
}

std::optional<EdgeList> geometric_attempt(const TopologyConfig& config, int nodes, std::uint64_t seed,
                                          std::uint64_t step) {
  const double radius = radius_of(config, nodes);
  const std::vector<Point> at = geometric_points(nodes, seed, step);
  EdgeList edges;
  for (int i = 0; i < nodes; ++i)
    for (int j = i + 1; j < nodes; ++j) {
      const double dx = at[i].x - at[j].x, dy = at[i].y - at[j].y;
      if (dx * dx + dy * dy <= radius * radius) edges.emplace_back(i, j);
    }
  return both_ways(edges);
}

std::int64_t all_pairs(const TopologyConfig&, int nodes) { return std::int64_t{nodes} * nodes; }

/// Nodes without any of their possible edges, each there with a chance of `share`.
double nodes_alone(int nodes, double share) { return nodes * std::pow(1 - std::min(1.0, share), nodes - 1); }

Drawn drawn_geometric() {
  return {.attempt = geometric_attempt,
          .raise = "topology.radius",
          .work = all_pairs,
          .alone = [](const TopologyConfig& config, int nodes) {
            const double radius = radius_of(config, nodes);
            return nodes_alone(nodes, std::numbers::pi * radius * radius);
          }};
}

Layout geometric_layout(const TopologyConfig& config, int nodes, std::uint64_t seed) {
  const ConnectedDraw draw = connected_draw(config, nodes, seed, drawn_geometric());
  return {.at = geometric_points(nodes, seed, draw.step), .spacing = 0.5 / std::sqrt(nodes)};  // some are close
}

/// The one round of a topology that is drawn until it is connected.
auto drawn_once(const Drawn& drawn) {
  return [drawn](const TopologyConfig& config, int nodes, std::uint64_t seed) {
    return std::vector{uniform_round(nodes, connected_draw(config, nodes, seed, drawn).edges)};
  };
}

}  // namespace

TopologyKind random_regular_row() {
  return {.name = "random_regular",
          .keys = {"degree"},
          .depends_on_seed = true,
          .is_undirected = true,
          .default_degree = 4,
          .count_edges =
              [](const TopologyConfig& config, int nodes) {
                const std::int64_t edges = std::int64_t{nodes} * config.degree;
                check_degree(config, nodes, config.degree >= 2 && config.degree < nodes && edges % 2 == 0,
                             "2 <= degree < run.nodes with an even degree * run.nodes");
                return edges;
              },
          .period = random_regular};
}

TopologyKind erdos_renyi_row() {
  return {.name = "erdos_renyi",
          .keys = {"probability", "redraw", "undirected"},
          .depends_on_seed = true,
          .count_edges =
              [](const TopologyConfig& config, int nodes) {
                check_pairs(config, nodes);
                const double pairs = static_cast<double>(nodes) * (nodes - 1);
                return static_cast<std::int64_t>(std::ceil(config.probability * pairs));
              },
          .period = drawn_once({.attempt = erdos_renyi_attempt,
                                .raise = "topology.probability",
                                .work = all_pairs,
                                .alone = [](const TopologyConfig& config,
                                            int nodes) { return nodes_alone(nodes, config.probability); }}),
          .redrawn = [](const TopologyConfig& config, int nodes, std::uint64_t seed,
                        std::int64_t t) { return uniform_round(nodes, *erdos_renyi_attempt(config, nodes, seed, t)); },
          .redrawn_doubly_stochastic =
              [](const TopologyConfig& config) { return config.undirected && config.weights == "metropolis"; }};
}

TopologyKind small_world_row() {
  return {.name = "small_world",
          .keys = {"degree", "probability"},
          .depends_on_seed = true,
          .is_undirected = true,
          .default_degree = 4,
          .count_edges =
              [](const TopologyConfig& config, int nodes) {
                check_degree(config, nodes, config.degree % 2 == 0 && config.degree < nodes - 1,
                             "an even degree < run.nodes - 1");
                return std::int64_t{nodes} * config.degree;
              },
          .period = drawn_once({.attempt = small_world_attempt, .raise = "topology.degree", .work = edge_work})};
}

TopologyKind geometric_row() {
  return {.name = "geometric",
          .keys = {"radius"},
          .depends_on_seed = true,
          .is_undirected = true,
          .count_edges =
              [](const TopologyConfig& config, int nodes) {
                check_pairs(config, nodes);
                const double radius = radius_of(config, nodes), share = std::min(1.0, 3.2 * radius * radius);  // pi r^2
                return static_cast<std::int64_t>(std::ceil(share * nodes * (nodes - 1)));
              },
          .period = drawn_once(drawn_geometric()),
          .layout = geometric_layout};
}

TopologyKind random_matching_row() {
  return {.name = "random_matching",
          .depends_on_seed = true,
          .is_undirected = true,
          .count_edges = [](const TopologyConfig&, int nodes) { return std::int64_t{nodes / 2} * 2; },
          .redrawn =
              [](const TopologyConfig&, int nodes, std::uint64_t seed, std::int64_t t) {
                const Draw draw = draw_of(seed, kAllNodes, t);
                const auto count = static_cast<std::uint32_t>(nodes);
                EdgeList pairs;
                for (std::uint32_t i = 0; i + 1 < count; i += 2)
                  pairs.emplace_back(random_permutation(draw, i, count), random_permutation(draw, i + 1, count));
                return uniform_round(nodes, both_ways(pairs));
              },
          .redrawn_doubly_stochastic = [](const TopologyConfig&) { return true; }};
}

}  // namespace sparsepush
