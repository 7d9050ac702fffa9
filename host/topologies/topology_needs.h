// Whether a method can run on a topology.
#pragma once
#include <string_view>
#include <vector>

#include "host/recipe/methods.h"
#include "host/topologies/topology.h"

namespace sparsepush {

/// Throws InputError that says what the method needs and where the topology lacks it at the averaging rate `eta`: the
/// round, and the node whose weights do not sum to 1 (to 1e-5), or differ from those that it hears with, or leave it
/// too little of its own. Redrawn topologies are judged by their rule.
void check_needs(const Method& method, const Topology& topology, double eta);

/// Lists what `check_needs` asks for, as it calls it; empty if any topology will do.
std::vector<std::string_view> needs_in_words(const Method& method);

}  // namespace sparsepush
