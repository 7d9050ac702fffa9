// The rounds of a run: prepared by the host ahead of the steps, and played by their recorded work.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "host/rounds/round_rules.h"
#include "kernels/backend/buffer.h"
#include "kernels/backend/event.h"
#include "kernels/backend/staged_array.h"
#include "kernels/mixing/due_round.h"
#include "kernels/mixing/random_out.h"
#include "models/shard.h"

namespace sparsepush {

/// Rounds that are made at a time, one such batch while another is played: enough to hide an upload.
inline constexpr int kRoundsAhead = 16;

/// One round for the nodes of one shard; all replicas stand in it, side by side.
struct PlannedRound {
  RoundEdges edges;                      ///< delivered ones; slots: local rows, then the halo
  std::span<const std::int64_t> copies;  ///< [local rows] messages each local node sends
  const Halo* const* halo = nullptr;     ///< halo of the round played now, in host memory, for host calls
  const std::int64_t* number = nullptr;  ///< [1] the round's number, in backend memory
};

/// The rounds of a run, round t at place t mod places. The places hold one period, which repeats itself as long as
/// rates do, or two batches that are filled in turn. Where a backend draws the rounds itself there is one place.
template <class Backend>
class RoundPlan {
 public:
  /// Prepares round 0, so that rules which cannot be kept fail here.
  RoundPlan(const Backend& backend, RoundRules rules, const Shard& shard);

  /// Makes, on the host, the rounds [first, last), at most kRoundsAhead, where they are not there yet, and does not
  /// wait for the steps that are on their way: the upload does, until all of them have read what stood there. Returns
  /// true if rounds have outgrown their places: what was recorded with at() is void, and halo_slots() may have grown.
  bool prepare(std::int64_t first, std::int64_t last);
  /// Lets the backend wait for the upload of round t; to be called on the host, between recorded steps, before the one
  /// that plays it.
  void play(std::int64_t t);
  /// Returns the round that *due, in backend memory, names; for recorded work, in which it alone says which round that
  /// is.
  PlannedRound at(const std::int64_t* due);

  /// Returns an upper bound of the halo of every round so far, and of the rules' bounds.
  int halo_slots() const { return bounds_.halo; }

  /// Counts the places of a plan with these rules, each with room for `bounds.edges` edges.
  static int places(const RoundRules& rules, const Shard& shard, const RoundBounds& bounds);

 private:
  /// What the host keeps of a round.
  struct HostRound {
    Halo halo;
    std::vector<double> rate;  ///< [replicas]
  };
  /// Places that are filled together.
  struct Batch {
    std::int64_t first = 0;         ///< number of its first round
    std::vector<HostRound> rounds;  ///< [rounds_per_batch()] by place; empty: none is there
    Event<Backend> uploaded;
    bool awaited = true;  ///< by the ops
  };
  /// The arrays of all places, a row each.
  struct Places {
    StagedArray<Backend, std::int64_t> begin, copies;
    StagedArray<Backend, std::int32_t> slot, sent;
    StagedArray<Backend, float> weight, self_weight;
    StagedArray<Backend, std::uint8_t> is_boundary;
  };
  struct Drawn {
    Buffer<Backend, std::uint64_t> seed;  ///< [replicas]
    RandomOutScratch<Backend> scratch;
  };

  int rounds_per_batch() const { return places_count_ / static_cast<int>(batches_.size()); }
  std::size_t batch_number(std::int64_t t) const { return t % places_count_ / rounds_per_batch(); }
  const HostRound& round(std::int64_t t) const {
    return batches_[batch_number(t)].rounds[t % places_count_ % rounds_per_batch()];
  }
  bool repeats() const { return batches_.size() == 1; }
  bool has(std::int64_t t) const;
  /// Makes the batch that round t stands in; returns true if it had outgrown its places.
  bool make_batch(std::int64_t t);
  void fill(Batch& batch, std::vector<MadeRound> made);
  void write(const MadeRound& made, int place);
  void upload(int first_place, int count);
  /// Allocates places for rounds of up to `bounds`, all empty.
  void allocate(const RoundBounds& bounds);
  void draw(const std::int64_t* due);

  const Backend& backend_;
  const RoundRules rules_;
  const Shard shard_;
  RoundBounds bounds_;
  int places_count_;
  std::vector<Batch> batches_;
  Event<Backend> read_;  ///< recorded behind the steps that may read what is filled next
  std::optional<Places> places_;
  std::optional<DueRound<Backend>> due_;
  std::optional<Drawn> drawn_;
  const Halo* playing_halo_ = nullptr;
};

}  // namespace sparsepush
