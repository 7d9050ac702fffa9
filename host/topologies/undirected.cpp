#include "host/topologies/undirected.h"

#include <algorithm>

#include "data/files/input_error.h"
#include "host/topologies/edge_lists.h"

namespace sparsepush {
namespace {

/// Rows of a torus: those asked for, or the largest divisor of `nodes` up to its root.
int torus_rows(const TopologyConfig& config, int nodes) {
  int rows = config.rows;
  for (int divisor = 2; config.rows == 0 && divisor <= nodes / divisor; ++divisor)
    if (nodes % divisor == 0) rows = divisor;
  if (rows < 2 || nodes % rows != 0 || nodes / rows < 2)
    throw InputError(
        "topology.rows: expected a divisor of run.nodes = {} with at least 2 rows and columns, got {}; without any, "
        "topology.name = \"ring\" has the same edges",
        nodes, config.rows == 0 ? "0, which finds none" : std::to_string(config.rows));
  return rows;
}

EdgeList ring_edges(int nodes) {
  EdgeList edges;
  for (int i = 0; nodes > 1 && i < nodes; ++i) edges.emplace_back(i, (i + 1) % nodes);
  return edges;
}

EdgeList torus_edges(const TopologyConfig& config, int nodes) {
  EdgeList edges;
  const int rows = nodes > 1 ? torus_rows(config, nodes) : 1, columns = nodes / rows;
  for (int r = 0; nodes > 1 && r < rows; ++r)
    for (int c = 0; c < columns; ++c) {
      edges.emplace_back(r * columns + c, (r + 1) % rows * columns + c);
      edges.emplace_back(r * columns + c, r * columns + (c + 1) % columns);
    }
  return edges;
}

EdgeList star_edges(int nodes) {
  EdgeList edges;
  for (int i = 1; i < nodes; ++i) edges.emplace_back(0, i);
  return edges;
}

/// A topology of one round that is no matter of chance; `edges` counts each edge once.
template <class Edges>
TopologyKind fixed_row(const std::string& name, std::vector<std::string> keys, const Edges& edges) {
  return {
      .name = name,
      .keys = std::move(keys),
      .is_undirected = true,
      .count_edges = [edges](const TopologyConfig& config, int nodes) { return 2 * std::ssize(edges(config, nodes)); },
      .period = [edges](const TopologyConfig& config, int nodes,
                        std::uint64_t) { return std::vector{uniform_round(nodes, both_ways(edges(config, nodes)))}; }};
}

}  // namespace

TopologyKind ring_row() {
  return fixed_row("ring", {}, [](const TopologyConfig&, int nodes) { return ring_edges(nodes); });
}

TopologyKind torus_row() {
  TopologyKind row = fixed_row("torus", {"rows"}, torus_edges);
  row.layout = [](const TopologyConfig& config, int nodes, std::uint64_t) {
    const int columns = nodes > 1 ? nodes / torus_rows(config, nodes) : 1;
    Layout layout{.at = {}, .bends_far_edges = true};
    for (int node = 0; node < nodes; ++node)
      layout.at.push_back({static_cast<double>(node % columns), static_cast<double>(node / columns)});
    return layout;
  };
  return row;
}

TopologyKind star_row() {
  TopologyKind row = fixed_row("star", {}, [](const TopologyConfig&, int nodes) { return star_edges(nodes); });
  row.layout = [](const TopologyConfig&, int nodes, std::uint64_t) {
    Layout layout = circle_layout(std::max(1, nodes - 1));
    if (nodes > 1) layout.at.insert(layout.at.begin(), Point{});
    layout.spacing = std::min(layout.spacing, 0.5);
    return layout;
  };
  return row;
}

}  // namespace sparsepush
