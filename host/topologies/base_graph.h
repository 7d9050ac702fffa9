// The Base-(k + 1) graph ([BaseGraph]): rounds of symmetric weights after which all nodes have the mean.
#pragma once
#include <vector>

#include "host/topologies/topologies.h"

namespace sparsepush {

/// Makes the rounds of one period for any number of nodes; in each a node has at most `degree` neighbours, 1 <= degree.
/// About 2 log(nodes) / log(degree + 1) rounds at most.
std::vector<TopologyRound> base_graph_rounds(int nodes, int degree);

TopologyKind base_graph_row();

}  // namespace sparsepush
