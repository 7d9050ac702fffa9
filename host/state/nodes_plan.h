// What the nodes of a shard are made from, and the sizes that follow.
#pragma once
#include <cstdint>
#include <vector>

#include "host/state/experiment.h"

namespace sparsepush {

struct NodesPlan {
  Recipe recipe;
  std::vector<AlgorithmConfig> algorithm;  ///< [replicas] that may differ in scope, keep and averaging rate
  std::vector<std::uint64_t> seed;         ///< [replicas]
  StateList own = {};                      ///< arrays of what is learned
  int halo_slots = 0;                      ///< bound of the remote in-neighbours of any round
  bool verify = false;                     ///< whether selections are done again and compared
  bool settings_of_rows = false;           ///< whether nodes of a replica differ in their settings
};

/// Returns the plan of an experiment whose nodes do not differ in their settings.
NodesPlan nodes_plan(const Experiment& experiment, int halo_slots = 0);

/// Counts the entries of a sparse message; 0 where none is sent.
std::int64_t entries_of(const Recipe& recipe, const AlgorithmConfig& algorithm, const RowLayout& layout);

/// Returns the sizes of a shard with `nodes` nodes of each replica, or of all shards together.
Extent extent_of(const NodesPlan& plan, const RowLayout& layout, std::int64_t nodes);

}  // namespace sparsepush
