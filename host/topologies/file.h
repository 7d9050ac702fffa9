// Topologies from CSV files: `round,source,target[,weight]`.
#pragma once
#include <string>
#include <vector>

#include "host/topologies/topologies.h"

namespace sparsepush {

/// Reads and checks every round of the file for `nodes` nodes: columns sum to 1 (to 1e-6), self weights > 0, no
/// duplicate edges, indices in range, no missing round. A row with source = target is the self weight; without one it
/// is 1 minus the sum of the node's column. Memory is bounded by the file's size. Throws InputError with file and line.
std::vector<TopologyRound> read_topology_file(const std::string& path, int nodes);

/// Whether the file's header has a weight column. Throws InputError unless it is a topology file's header.
bool topology_file_has_weights(const std::string& path);

TopologyKind file_row();

}  // namespace sparsepush
