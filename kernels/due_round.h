// Picks the round that is due out of a block of rounds that were planned ahead, without help of the host.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/buffer.h"
#include "kernels/round_edges.h"

namespace sparsepush {

/// Rounds one after the other, in backend memory; round t is number (t - *first_round) mod rounds of the block.
struct RoundBlock {
  int nodes = 0;
  const std::int64_t* first_round = nullptr;  ///< [1]
  std::span<const std::int64_t> first_edge;   ///< [rounds + 1] where a round's edges begin
  std::span<const std::int64_t> begin;        ///< [rounds, nodes + 1] as in RoundEdges, from the round's first edge on
  std::span<const std::int64_t> copies;       ///< [rounds, nodes] messages that each node sends
  std::span<const std::int32_t> slot;         ///< [edges of all rounds]
  std::span<const float> weight;              ///< [edges of all rounds]
  std::span<const float> self_weight;         ///< [rounds, nodes]

  constexpr std::int64_t rounds() const { return std::ssize(first_edge) - 1; }
};

/// Where ops find the due round: the same place in every step, so that recorded work can be repeated.
template <class Backend>
class DueRound;

template <>
class DueRound<Cpu> {
 public:
  /// No round of the blocks has more than `most_edges` edges.
  DueRound(const Cpu&, int /*nodes*/, std::int64_t /*most_edges*/) {}

  /// edges() and copies() become those of round *due of the block. `due` is in backend memory.
  void load(const Cpu& cpu, const RoundBlock& block, const std::int64_t* due);
  const RoundEdges& edges() const { return edges_; }
  std::span<const std::int64_t> copies() const { return copies_; }

 private:
  RoundEdges edges_;
  std::span<const std::int64_t> copies_;
};

/// On a GPU the round is copied, 8 bytes an edge and 20 a node, unless the block has one round only. The spans of its
/// slots and weights then hold room for the most edges of any round.
template <>
class DueRound<Cuda> {
 public:
  DueRound(const Cuda& gpu, int nodes, std::int64_t most_edges)
      : begin_(gpu, 1, nodes + 1),
        copies_(gpu, 1, nodes),
        slot_(gpu, 1, static_cast<int>(most_edges)),
        weight_(gpu, 1, static_cast<int>(most_edges)),
        self_weight_(gpu, 1, nodes) {}

  void load(const Cuda& gpu, const RoundBlock& block, const std::int64_t* due);
  const RoundEdges& edges() const { return edges_; }
  std::span<const std::int64_t> copies() const { return due_copies_; }

 private:
  RoundEdges edges_;
  std::span<const std::int64_t> due_copies_;
  Buffer<Cuda, std::int64_t> begin_, copies_;
  Buffer<Cuda, std::int32_t> slot_;
  Buffer<Cuda, float> weight_, self_weight_;
};

/// The shapes of a block; throws std::invalid_argument. Called by every backend first.
void check_round_block(const RoundBlock& block);

}  // namespace sparsepush
