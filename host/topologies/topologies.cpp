#include "host/topologies/topologies.h"

#include <algorithm>

#include "host/topologies/base_graph.h"
#include "host/topologies/file.h"
#include "host/topologies/generated.h"
#include "host/topologies/undirected.h"

namespace sparsepush {

const std::vector<TopologyKind>& topologies() {
  static const std::vector<TopologyKind> table = {
      directed_ring_row(),   complete_row(),    exponential_row(), one_peer_exponential_row(),
      random_out_row(),      ring_row(),        torus_row(),       star_row(),
      random_regular_row(),  erdos_renyi_row(), small_world_row(), geometric_row(),
      random_matching_row(), three_rings_row(), base_graph_row(),  file_row()};
  return table;
}

const TopologyKind& topology_kind(const TopologyConfig& config) {
  return row_named(topologies(), "topology.name", config.name);
}

bool is_redrawn(const TopologyConfig& config) {
  const TopologyKind& kind = topology_kind(config);
  return kind.redrawn && (config.redraw || !kind.period);
}

bool has_key(const TopologyKind& kind, std::string_view key) {
  return std::ranges::find(kind.keys, key) != kind.keys.end();
}

}  // namespace sparsepush
