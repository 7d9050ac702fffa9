// Topologies whose edges lead both ways, and random graphs that may be undirected.
#pragma once
#include "host/topologies/topologies.h"

namespace sparsepush {

TopologyKind ring_row();             ///< each node and the next
TopologyKind torus_row();            ///< `rows` x nodes / rows, each node and its neighbours in row and column
TopologyKind star_row();             ///< node 0 and all others
TopologyKind random_regular_row();   ///< random, `degree` edges at every node
TopologyKind erdos_renyi_row();      ///< every edge with `probability`, each way for itself unless `undirected`
TopologyKind small_world_row();      ///< Watts and Strogatz: a ring lattice with rewired edges
TopologyKind geometric_row();        ///< random points of the unit square, joined within `radius`
TopologyKind random_matching_row();  ///< pairs of nodes, others in every round

}  // namespace sparsepush
