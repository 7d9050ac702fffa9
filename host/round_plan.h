// What will be delivered in the rounds ahead, as the mixing ops read it: built on the host, uploaded once per block.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "host/shard.h"
#include "host/topology.h"
#include "kernels/buffer.h"
#include "kernels/due_round.h"

namespace sparsepush {

/// Rounds of a redrawn topology that are planned at a time: enough to hide an upload, few enough to keep.
inline constexpr std::int64_t kRoundsAhead = 16;

/// One round for the nodes of one shard; all replicas stand in it, side by side.
struct PlannedRound {
  RoundEdges edges;                      ///< slots: local rows, then the halo
  std::span<const NodeId> halo;          ///< remote in-neighbours, ascending; in host memory
  std::span<const std::int64_t> copies;  ///< [local rows] messages each local node sends
};

struct HostBlock;

/// The rounds of a run. A periodic topology is planned whole; one that is redrawn, in blocks of rounds ahead.
template <class Backend>
class RoundPlan {
 public:
  /// topologies: one per replica, or one that all share; eta[r] is replica r's averaging rate.
  RoundPlan(const Backend& backend, const std::vector<Topology>& topologies, std::vector<double> eta,
            const Shard& shard);

  /// Makes sure that round t >= 0 is in backend memory, for the calls below until the next one of this. True if arrays
  /// have moved, so that recorded work would no longer find them.
  bool prepare(std::int64_t t);
  /// [replicas] messages that all shards together send in round t.
  std::span<const std::int64_t> messages(std::int64_t t) const { return round(t).messages; }
  /// Round t; *due, in backend memory, must be t too. In recorded work `due` alone says which round it is, if halos
  /// are empty.
  PlannedRound load(std::int64_t t, const std::int64_t* due);

  /// An upper bound of the halo slots that any round needs: known before the rounds are.
  static int halo_bound(const std::vector<Topology>& topologies, const Shard& shard);

 private:
  /// What the host keeps of a round.
  struct HostRound {
    std::vector<NodeId> halo;
    std::vector<std::int64_t> messages;  ///< [replicas]
  };
  /// The arrays of one block, its rounds one after the other.
  struct Block {
    Buffer<Backend, std::int64_t> first_round, first_edge, begin, copies;
    Buffer<Backend, std::int32_t> slot;
    Buffer<Backend, float> weight, self_weight;
  };
  bool build(std::int64_t first_round, std::int64_t rounds);
  bool upload(const HostBlock& host);
  RoundBlock view() const;
  const HostRound& round(std::int64_t t) const { return rounds_[(t - first_round_) % std::ssize(rounds_)]; }

  const Backend& backend_;
  const std::vector<Topology>& topologies_;
  std::vector<double> eta_;
  Shard shard_;
  std::optional<std::int64_t> period_;  ///< common to all replicas; none if redrawn
  std::int64_t first_round_ = 0;
  std::vector<HostRound> rounds_;
  std::optional<Block> block_;
  std::optional<DueRound<Backend>> due_;
  std::int64_t most_edges_ = 0;  ///< that `due_` has room for
};

}  // namespace sparsepush
