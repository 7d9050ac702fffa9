// Topologies from files: edges in the forms that EdgeRows reads, such as `round,source,target[,weight]`, graphs of
// METIS and matrices of MatrixMarket.
#pragma once
#include <string>
#include <vector>

#include "host/topologies/topologies.h"

namespace sparsepush {

/// Reads and checks every round of the file for `nodes` nodes: columns sum to 1 (to 1e-6), self weights > 0, no
/// duplicate edges, indices in range, no missing round, no node that never occurs. A row with source = target is the
/// self weight; without one it is 1 minus the sum of the node's column. A row of weight 0 is no edge. `undirected` adds
/// the other way of every edge that lacks it, with its weight; two ways of different weights are refused. Memory is
/// bounded by the file's size. Throws InputError with file and line.
std::vector<TopologyRound> read_topology_file(const std::string& path, int nodes, bool undirected = false);

/// Returns whether the file has weights. Throws InputError unless it begins as a topology file does.
bool topology_file_has_weights(const std::string& path);

TopologyKind file_row();

}  // namespace sparsepush
