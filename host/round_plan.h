// What will be delivered in the rounds ahead, as the mixing ops read it: built on the host, uploaded once per block.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "host/shard.h"
#include "host/topology.h"
#include "kernels/buffer.h"
#include "kernels/round_edges.h"

namespace sparsepush {

/// Rounds of a redrawn topology that are planned at a time: enough to hide an upload, few enough to keep.
inline constexpr std::int64_t kRoundsAhead = 16;

/// One round for the nodes of one shard; all replicas stand in it, side by side.
template <class Backend>
struct PlannedRound {
  RoundEdges edges;                      ///< slots: local rows, then the halo
  std::vector<NodeId> halo;              ///< remote in-neighbours, ascending
  std::span<const std::int64_t> copies;  ///< [local rows] messages each local node sends, in backend memory
  std::vector<std::int64_t> messages;    ///< [replicas] sent by all shards together
};

/// The rounds of a run. A periodic topology is planned whole; one that is redrawn, in blocks of rounds ahead.
template <class Backend>
class RoundPlan {
 public:
  /// topologies: one per replica, or one that all share; eta[r] is replica r's averaging rate.
  RoundPlan(const Backend& backend, const std::vector<Topology>& topologies, std::vector<double> eta,
            const Shard& shard);

  /// Round t >= 0; valid until the next call.
  const PlannedRound<Backend>& round(std::int64_t t);

  /// An upper bound of the halo slots that any round needs: known before the rounds are.
  static int halo_bound(const std::vector<Topology>& topologies, const Shard& shard);

 private:
  /// The arrays of one block, its rounds one after the other.
  struct Block {
    Buffer<Backend, std::int64_t> begin, copies;
    Buffer<Backend, std::int32_t> slot;
    Buffer<Backend, float> weight, self_weight;
  };
  void build(std::int64_t first_round, std::int64_t rounds);

  const Backend& backend_;
  const std::vector<Topology>& topologies_;
  std::vector<double> eta_;
  Shard shard_;
  std::optional<std::int64_t> period_;  ///< common to all replicas; none if redrawn
  std::int64_t first_round_ = 0;
  std::vector<PlannedRound<Backend>> rounds_;
  std::optional<Block> block_;
};

}  // namespace sparsepush
