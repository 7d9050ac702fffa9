// Rounds from lists of edges, and what such lists are checked for.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "host/topologies/topology.h"

namespace sparsepush {

/// From source to target.
using EdgeList = std::vector<std::pair<int, int>>;

/// Adds the other way of every edge.
EdgeList both_ways(const EdgeList& edges);

/// Makes the round with these edges, of which duplicates are one, and uniform weights.
TopologyRound uniform_round(int nodes, EdgeList edges);

/// Sets p_ij = 1 / (1 + max(degree_i, degree_j)); nodes keep the rest. Throws InputError, naming `topology` and round
/// `t`, unless every edge has its reverse.
void set_metropolis_weights(TopologyRound& round, const std::string& topology, std::int64_t t);

/// Reaches from node 0 along the edges (or against them); the first node that it cannot reach, or -1.
int first_unreached(int nodes, const EdgeList& edges, bool against);

}  // namespace sparsepush
