// How the rounds of a run are made: who sends to whom, with which weights, what arrives, and how fast models average.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "host/topologies/topology.h"
#include "host/transports/halo.h"
#include "kernels/mixing/random_out.h"
#include "models/shard.h"

namespace sparsepush {

/// What any round needs on one shard at most. Rounds may outgrow it, at a price.
struct RoundBounds {
  std::int64_t edges = 0;  ///< to the shard's nodes, of all replicas
  int halo = 0;            ///< remote in-neighbours, of all replicas
  int sent = 0;            ///< rows that other shards receive, each counted once a shard
};

/// Rounds of `random_out` that a backend can draw for itself: the same as `edges` gives.
struct DrawnRounds {
  RandomOut topology;
  std::vector<std::uint64_t> seed;  ///< [replicas]
};

/// Rule after rule makes round t of a replica: edges, weights, what is delivered. Then weights are put on the grid, and
/// the weight of an edge that is not delivered returns to its sender. All shards have the same rules, which depend on
/// their arguments only.
struct RoundRules {
  std::int64_t period = 0;                                                 ///< period of `edges`; 0: none is known
  std::function<std::vector<Edge>(int replica, std::int64_t t)> edges;     ///< ordered by target, then by source
  std::function<void(std::vector<Edge>& edges)> weights;                   ///< empty: those that the edges have
  std::function<bool(int replica, std::int64_t t, const Edge&)> delivers;  ///< empty: everything
  std::function<double(int replica, std::int64_t t)> averaging_rate;       ///< in (0, 1]
  std::function<RoundBounds(const Shard&)> bounds;
  std::optional<DrawnRounds> drawn;  ///< without it the host draws all rounds
};

/// Returns the rules of one topology per replica, or of one that all share. The topologies must outlive them.
RoundRules topology_rules(const std::vector<Topology>& topologies, int replicas,
                          std::function<double(int replica, std::int64_t t)> averaging_rate);

/// Returns the bounds of the rounds of these topologies, as topology_rules has them.
RoundBounds topology_bounds(const std::vector<Topology>& topologies, const Shard& shard);

/// One round for the nodes of one shard, on the host; all replicas stand in it, side by side.
struct MadeRound {
  std::vector<std::int64_t> begin;         ///< [rows + 1] in-edges that are delivered, as in RoundEdges
  std::vector<std::int32_t> slot;          ///< [edges] local rows, then the halo
  std::vector<float> weight, self_weight;  ///< [edges], [rows]
  std::vector<std::uint8_t> is_boundary;   ///< [rows] where there are several shards
  std::vector<std::int64_t> copies;        ///< [rows] messages that each node sends, delivered or not
  Halo halo;
  std::vector<double> rate;  ///< [replicas]
};
/// Makes round t for a shard. Throws InputError as `mixing_weights` does.
MadeRound make_round(const RoundRules& rules, const Shard& shard, std::int64_t t);

}  // namespace sparsepush
