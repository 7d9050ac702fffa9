// Whether a method can run on a topology.
#pragma once
#include "host/algorithms/methods.h"
#include "host/topologies/topology.h"

namespace sparsepush {

/// Throws InputError that says what the method needs and where the topology lacks it: the round, and the node whose
/// weights do not sum to 1 (to 1e-5). Redrawn topologies are judged by their rule.
void check_needs(const Method& method, const Topology& topology);

}  // namespace sparsepush
