// Random topologies that are drawn until they are connected.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <set>

#include "data/files/input_error.h"
#include "host/topologies/edge_lists.h"
#include "host/topologies/undirected.h"
#include "kernels/backend/random.h"

namespace sparsepush {
namespace {

constexpr int kMostAttempts = 1000;
constexpr std::string_view kRadius = "topology.radius";
constexpr std::uint64_t kAllNodes = 0xffff'ffff;            // a draw of no single node
constexpr std::int64_t kMostPairs = std::int64_t{1} << 30;  // that are drawn or measured one by one: some ten seconds

Draw draw_of(std::uint64_t seed, std::uint64_t node, std::uint64_t step, std::uint64_t index = 0) {
  return {.seed = seed, .stream = Stream::kTopology, .node = node, .step = step, .index = index};
}

/// The edges of attempt `step`, both ways where they have no direction; nothing if the attempt came to an end.
using Attempt =
    std::function<std::optional<EdgeList>(const TopologyConfig&, int nodes, std::uint64_t seed, std::uint64_t step)>;

struct ConnectedDraw {
  std::uint64_t step = 0;
  EdgeList edges;
};

/// The first attempt that connects all nodes.
ConnectedDraw connected_draw(const TopologyConfig& config, int nodes, std::uint64_t seed, const Attempt& attempt,
                             std::string_view raise) {
  if (nodes == 1) return {};
  for (int a = 0; a < kMostAttempts; ++a) {
    auto edges = attempt(config, nodes, seed, a);
    if (edges && first_unreached(nodes, *edges, false) < 0 && first_unreached(nodes, *edges, true) < 0)
      return {static_cast<std::uint64_t>(a), std::move(*edges)};
  }
  throw InputError("{}: none of {} draws of {} connects all {} nodes; raise it", raise, kMostAttempts, config.name,
                   nodes);
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

Layout geometric_layout(const TopologyConfig& config, int nodes, std::uint64_t seed) {
  const ConnectedDraw draw = connected_draw(config, nodes, seed, geometric_attempt, kRadius);
  return {.at = geometric_points(nodes, seed, draw.step), .spacing = 0.5 / std::sqrt(nodes)};  // some are close
}

/// The one round of a topology that is drawn until it is connected.
auto drawn_once(const Attempt& attempt, std::string_view raise) {
  return [attempt, raise](const TopologyConfig& config, int nodes, std::uint64_t seed) {
    return std::vector{uniform_round(nodes, connected_draw(config, nodes, seed, attempt, raise).edges)};
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
          .period = drawn_once(regular_attempt, "topology.degree")};
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
          .period = drawn_once(erdos_renyi_attempt, "topology.probability"),
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
          .period = drawn_once(small_world_attempt, "topology.degree")};
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
          .period = drawn_once(geometric_attempt, kRadius),
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
