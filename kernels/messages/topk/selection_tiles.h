// Divides the rows of all nodes into the tiles that the blocks of a selection on a GPU take; the same for all nodes
// that select by the same plan.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/messages/topk_plan.h"
#include "kernels/nodes/row_layout.h"

namespace sparsepush {

inline constexpr int kWholeTileQuads = 2048;  ///< 32 KB of keys: several blocks share a multiprocessor
inline constexpr int kPartTileQuads = 1024;   ///< 16 KB of each array hide a tile's start, and spread one node

/// The elements [4 begin, 4 end) of a row.
struct QuadRange {
  std::int32_t begin, end;
  constexpr std::int32_t quads() const { return end - begin; }
};

/// One selection of each node of a plan.
struct SelectionGroup {
  QuadRange range;
  std::int32_t entries;        ///< elements kept
  std::int32_t message_begin;  ///< where they stand in the node's message
};

/// A group of more than kWholeTileQuads. All numbers run over the plans, in order.
struct LargeGroup {
  SelectionGroup group;
  std::int32_t plan;
  std::int32_t first_part, last_part;  ///< its part tiles
  std::int32_t candidates_begin;       ///< where its candidates stand among those of a node of each plan
  std::int32_t candidates_room;        ///< 0: too many are kept for candidates to pay
  float margin;                        ///< `start_margin` of its entries
};

/// A whole tile holds complete groups that are neighbours, a part tile some of one large group.
struct SelectionTile {
  QuadRange range;
  std::int32_t plan;
  std::int32_t first_group, last_group;  ///< of a whole tile, among all groups
  std::int32_t large = -1, part = -1;    ///< of a part tile: its large group, and its number among all part tiles
};

struct SelectionTiles {
  std::vector<SelectionGroup> groups;           ///< of all plans
  std::vector<std::int32_t> first_group = {0};  ///< [plans + 1] where a plan's groups begin
  std::vector<LargeGroup> large;                ///< those that do not fit a whole tile
  std::vector<QuadRange> parts;                 ///< what the part tiles cover
  std::vector<SelectionTile> tiles;             ///< largest first, so that blocks with equally many have equal work
  std::int32_t most_parts = 0;                  ///< part tiles of the largest group
  std::int32_t candidates = 0;                  ///< room of one node of each plan, a multiple of 4
};

/// Cuts rows into tiles: every quad of a row is in one tile of each plan.
SelectionTiles make_selection_tiles(const RowLayout& layout, std::span<const TopkPlan> plans);

}  // namespace sparsepush
