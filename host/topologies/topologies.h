// The table of topologies: the valid names, and how each is made.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/table.h"
#include "host/topologies/layout.h"
#include "host/topologies/topology.h"
#include "kernels/mixing/random_out.h"

namespace sparsepush {

/// A way to make the rounds of a topology, from its configuration, the number of nodes and a seed.
struct TopologyKind {
  std::string name;
  std::vector<std::string> keys = {};  ///< of [topology] that count for it
  bool depends_on_seed = false;
  bool is_undirected = false;    ///< every edge has its reverse, whatever the configuration says
  bool has_own_weights = false;  ///< topology.weights does not count
  int default_degree = 2;        ///< where the key counts and is not set
  int only_nodes = 0;            ///< it is for so many nodes alone; 0: for any number
  bool is_given = false;         ///< by the user: checked for connectivity whatever it is used for
  /// Refuses configurations that it cannot be made from, and counts the edges of one period; empty: no limit here.
  std::function<std::int64_t(const TopologyConfig&, int nodes)> count_edges = {};
  /// Makes all rounds of one period; empty if every round is drawn anew.
  std::function<std::vector<TopologyRound>(const TopologyConfig&, int nodes, std::uint64_t seed)> period = {};
  /// Makes round t of what is drawn anew each round, where topology.redraw asks for that or there is no period.
  std::function<TopologyRound(const TopologyConfig&, int nodes, std::uint64_t seed, std::int64_t t)> redrawn = {};
  bool connected_when_redrawn = false;  ///< every round leads from each node to all others
  /// Describes the same rounds as backends draw them; empty: the host draws all.
  std::function<RandomOut(const TopologyConfig&, int nodes)> drawn_by_backends = {};
  /// Returns whether the rows of every redrawn round sum to 1.
  std::function<bool(const TopologyConfig&)> redrawn_doubly_stochastic = {};
  /// Places nodes in pictures; empty: on a circle.
  std::function<Layout(const TopologyConfig&, int nodes, std::uint64_t seed)> layout = {};
};

/// Lists all kinds of topologies, in the order in which `sparsepush methods` prints them.
const std::vector<TopologyKind>& topologies();

/// Returns the kind that `config` names. Throws InputError if there is none.
const TopologyKind& topology_kind(const TopologyConfig& config);

/// Returns whether every round is drawn anew.
bool is_redrawn(const TopologyConfig& config);

/// Returns whether a key of [topology] counts for it.
bool has_key(const TopologyKind& kind, std::string_view key);

}  // namespace sparsepush
