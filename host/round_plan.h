// What will be delivered in the rounds of a run, as the mixing ops read it.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "host/topology.h"
#include "kernels/buffer.h"
#include "kernels/due_round.h"
#include "kernels/random_out.h"
#include "models/shard.h"

namespace sparsepush {

/// Rounds of a redrawn topology that are planned at a time for one of several shards: enough to hide an upload.
inline constexpr std::int64_t kRoundsAhead = 16;

/// One round for the nodes of one shard; all replicas stand in it, side by side.
struct PlannedRound {
  RoundEdges edges;                      ///< slots: local rows, then the halo
  std::span<const NodeId> halo;          ///< remote in-neighbours, ascending; in host memory
  std::span<const std::int64_t> copies;  ///< [local rows] messages each local node sends
};

struct HostBlock;

/// The rounds of a run. A periodic topology is built on the host and uploaded once. One that is redrawn, the backend
/// draws itself; but of several shards the host must know the halos, and builds blocks of rounds ahead.
template <class Backend>
class RoundPlan {
 public:
  /// topologies: one per replica, or one that all share; eta[r] is replica r's averaging rate.
  RoundPlan(const Backend& backend, const std::vector<Topology>& topologies, std::vector<double> eta,
            const Shard& shard);

  /// Round t >= 0; *due, in backend memory, must be t too. In recorded work `due` alone says which round it is.
  PlannedRound load(std::int64_t t, const std::int64_t* due);
  /// [replicas] messages that all shards together send in round t. Of several shards, t must be the last loaded round.
  std::span<const std::int64_t> messages(std::int64_t t) const { return round(t).messages; }

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
  /// What the backend needs to draw its rounds, whose weights and counts are those of the first.
  struct Drawn {
    Buffer<Backend, std::uint64_t> seed;  ///< [replicas]
    RandomOutScratch<Backend> scratch;
  };
  void build(std::int64_t first_round, std::int64_t rounds);
  void upload(const HostBlock& host);
  void prepare_to_draw();
  void draw(const std::int64_t* due);
  bool has(std::int64_t t) const { return period_ || (t >= first_round_ && t < first_round_ + std::ssize(rounds_)); }
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
  std::optional<Drawn> drawn_;
};

}  // namespace sparsepush
