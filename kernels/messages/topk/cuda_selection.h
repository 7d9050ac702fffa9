// What a GPU remembers between selections, and the tiles of a selection, as kernels read them; for the sources of these
// ops only.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/messages/topk/selection_memory.h"
#include "kernels/messages/topk/selection_tiles.h"
#include "kernels/messages/topk/warmth.h"
#include "kernels/nodes/cuda_layout.h"

namespace sparsepush {

/// Of a (node, large group).
struct GroupState {
  Warmth warmth;
  std::uint32_t start = 0;  ///< magnitude key from which on elements are candidates in the next round; 0: none are
  unsigned candidates = 0;  ///< found so far in this round, also where there was no room for them
};

/// Where the candidates of a (node, part tile) stand among those of the group.
struct PartCandidates {
  std::int32_t begin = 0, count = 0;
};

/// [nodes per plan, number] each: a row has what concerns one node of each plan.
struct SelectionStates {
  MatrixView<GroupState> groups;      ///< [, large groups]
  MatrixView<PartCandidates> parts;   ///< [, part tiles]
  MatrixView<std::uint64_t> counts;   ///< [, part tiles] scratch: of what is selected in it
  MatrixView<std::int32_t> position;  ///< [, candidates]
  MatrixView<std::uint32_t> key;      ///< [, candidates] `rank_key`
};

class CudaSelection {
 public:
  /// Allocates what `nodes` nodes a plan need.
  CudaSelection(const Cuda& gpu, int nodes, const RowLayout& layout, std::span<const TopkPlan> plans)
      : CudaSelection(gpu, nodes, make_selection_tiles(layout, plans)) {}

  const SelectionTiles& host() const { return host_; }
  int nodes_per_plan() const { return states_.view().rows; }
  std::span<const SelectionGroup> groups() const { return groups_.span(); }
  std::span<const LargeGroup> large() const { return large_.span(); }
  std::span<const QuadRange> parts() const { return parts_.span(); }
  std::span<const SelectionTile> tiles() const { return tiles_.span(); }
  SelectionStates states() const {
    return {states_.view(), candidates_.view(), counts_.view(), position_.view(), key_.view()};
  }

  static std::int64_t bytes(int nodes, const SelectionTiles& tiles);

 private:
  CudaSelection(const Cuda& gpu, int nodes, SelectionTiles tiles)
      : host_(std::move(tiles)),
        groups_(gpu, host_.groups),
        large_(gpu, host_.large),
        parts_(gpu, host_.parts),
        tiles_(gpu, host_.tiles),
        states_(gpu, nodes, static_cast<int>(host_.large.size())),
        candidates_(gpu, nodes, static_cast<int>(host_.parts.size())),
        counts_(gpu, nodes, static_cast<int>(host_.parts.size())),
        position_(gpu, nodes, host_.candidates),
        key_(gpu, nodes, host_.candidates) {}

  SelectionTiles host_;
  Buffer<Cuda, SelectionGroup> groups_;
  Buffer<Cuda, LargeGroup> large_;
  Buffer<Cuda, QuadRange> parts_;
  Buffer<Cuda, SelectionTile> tiles_;
  Buffer<Cuda, GroupState> states_;
  Buffer<Cuda, PartCandidates> candidates_;
  Buffer<Cuda, std::uint64_t> counts_;
  Buffer<Cuda, std::int32_t> position_;
  Buffer<Cuda, std::uint32_t> key_;
};

inline std::int64_t CudaSelection::bytes(int nodes, const SelectionTiles& tiles) {
  const auto all = [](const auto& list) { return static_cast<std::int64_t>(std::span(list).size_bytes()); };
  const auto large = static_cast<std::int64_t>(tiles.large.size()),
             parts = static_cast<std::int64_t>(tiles.parts.size());
  const std::int64_t of_node =
      large * static_cast<std::int64_t>(sizeof(GroupState)) +
      parts * static_cast<std::int64_t>(sizeof(PartCandidates) + sizeof(std::uint64_t)) +
      tiles.candidates * static_cast<std::int64_t>(sizeof(std::int32_t) + sizeof(std::uint32_t));
  return all(tiles.groups) + all(tiles.large) + all(tiles.parts) + all(tiles.tiles) + nodes * of_node;
}

template <>
struct SelectionMemory<Cuda>::Contents {
  Contents(const Cuda& gpu, int nodes, const RowLayout& layout, std::span<const TopkPlan> plans);
  static std::int64_t bytes(int nodes, const RowLayout& layout, const TopkPlan& plan, int);

  CudaLayout layout;
  CudaSelection selection;  ///< of one plan, where all replicas have the same, or of each replica's
};

}  // namespace sparsepush
