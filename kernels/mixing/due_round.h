// Picks the round that is due out of places with rounds that were planned ahead, without help of the host.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/buffer.h"
#include "kernels/mixing/round_edges.h"

namespace sparsepush {

/// Rounds in places of equal size, in backend memory; round t is in place t mod places.
struct RoundPlaces {
  int nodes = 0;
  std::int64_t most_edges = 0;           ///< that a place has room for
  std::span<const std::int64_t> begin;   ///< [places, nodes + 1] as in RoundEdges, from the place's first edge on
  std::span<const std::int64_t> copies;  ///< [places, nodes] messages that each node sends
  std::span<const std::int32_t> slot;    ///< [places, most_edges]
  std::span<const float> weight;         ///< [places, most_edges]
  std::span<const float> self_weight;    ///< [places, nodes]
  std::span<const std::uint8_t> is_boundary = {};  ///< [places, nodes], or empty

  constexpr std::int64_t places() const { return std::ssize(begin) / (nodes + 1); }
};

/// Holds the due round for ops: in the same place in every step, so that recorded work can be repeated.
template <class Backend>
class DueRound;

template <>
class DueRound<Cpu> {
 public:
  /// Places have room for `most_edges` edges.
  DueRound(const Cpu&, int /*nodes*/, std::int64_t /*most_edges*/) {}

  /// Makes edges() and copies() those of round *due. `due` is in backend memory.
  void load(const Cpu& cpu, const RoundPlaces& places, const std::int64_t* due);
  const RoundEdges& edges() const { return edges_; }
  std::span<const std::int64_t> copies() const { return copies_; }

 private:
  RoundEdges edges_;
  std::span<const std::int64_t> copies_;  ///< [nodes] messages that each node sends
};

/// On a GPU the round is copied, 8 bytes an edge and 20 or 21 a node, unless there is one place only. The spans of its
/// slots and weights hold room for the most edges of any round.
template <>
class DueRound<Cuda> {
 public:
  DueRound(const Cuda& gpu, int nodes, std::int64_t most_edges)
      : begin_(gpu, 1, nodes + 1),
        copies_(gpu, 1, nodes),
        slot_(gpu, 1, static_cast<int>(most_edges)),
        weight_(gpu, 1, static_cast<int>(most_edges)),
        self_weight_(gpu, 1, nodes),
        is_boundary_(gpu, 1, nodes) {}

  void load(const Cuda& gpu, const RoundPlaces& places, const std::int64_t* due);
  const RoundEdges& edges() const { return edges_; }
  std::span<const std::int64_t> copies() const { return due_copies_; }

 private:
  RoundEdges edges_;
  std::span<const std::int64_t> due_copies_;   ///< [nodes] messages that each node sends
  Buffer<Cuda, std::int64_t> begin_, copies_;  ///< [nodes + 1], [nodes]
  Buffer<Cuda, std::int32_t> slot_;            ///< [most edges]
  Buffer<Cuda, float> weight_, self_weight_;   ///< [most edges], [nodes]
  Buffer<Cuda, std::uint8_t> is_boundary_;     ///< [nodes]
};

/// Checks the shapes above.
void check_round_places(const RoundPlaces& places);

}  // namespace sparsepush
