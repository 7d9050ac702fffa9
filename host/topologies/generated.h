// Topologies that are made from a rule instead of a file.
#pragma once
#include <cstdint>
#include <vector>

#include "host/topologies/topologies.h"

namespace sparsepush {

/// Makes a round in which node j sends to j + offset modulo nodes for each of `offsets`, which ascend in [1, nodes);
/// uniform weights.
TopologyRound circulant_round(int nodes, const std::vector<int>& offsets);

/// Lists 2^j for j = 0, 1, ... while 2^j < nodes.
std::vector<int> exponential_offsets(int nodes);

/// Makes a round in which every node sends to the next one on a random cycle through all nodes and to degree - 1 other
/// random nodes. A function of seed and t, which backends draw too (kernels/mixing/random_out.h); 1 <= degree < nodes.
TopologyRound random_out_round(int nodes, int degree, std::uint64_t seed, std::int64_t t);

TopologyKind directed_ring_row();         ///< every node sends to the next
TopologyKind complete_row();              ///< to all others
TopologyKind exponential_row();           ///< to those at 1, 2, 4, ... nodes' distance
TopologyKind one_peer_exponential_row();  ///< to one of these in each round, in turn
TopologyKind random_out_row();
TopologyKind three_rings_row();  ///< of four nodes, in turn

}  // namespace sparsepush
