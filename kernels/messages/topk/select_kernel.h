// Top-k on a GPU, shared by the ops that contain it; for .cu files only. Two launches, whatever the number of nodes and
// whatever the sizes of their groups:
//
// 1 select_tiles   Blocks take (node, tile) items. The source computes the tile's elements v, which reach memory once;
//                  their keys stay in shared memory. In a whole tile each group is selected there: a warp per small
//                  group, the block for a larger one. In a part tile the elements of at least the group's starting
//                  magnitude, learned in the rounds before, become candidates.
// 2 finish_large   A block per (node, large group) selects from the candidates, if there are enough and all found room,
//                  or else from the row; and learns where to start next time.
//
// Every selected element is a candidate if at least as many candidates were found as entries are wanted: so the
// starting magnitude decides what is read, never what is selected.
#pragma once
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>

#include "kernels/backend/cuda_launch.h"
#include "kernels/messages/messages.h"
#include "kernels/messages/topk/cuda_selection.h"
#include "kernels/messages/topk/radix_select.h"

namespace sparsepush {

constexpr int kTileThreads = 256;
// Of a multiprocessor: with more, threads had fewer than the 64 registers that they need to spill none.
constexpr int kTileBlocks = 4;
constexpr int kWarpGroup = 512;       // elements that a warp selects from: bisection with 16 loads a step
constexpr int kSharedWarpTile = 256;  // elements: four for each warp of a whole tile
constexpr int kWholeTileWarpTiles = 4 * kWholeTileQuads / kSharedWarpTile;

/// Four keys, stored at once.
struct alignas(16) KeyQuad {
  std::uint32_t lane[4];
};

/// Shared memory of a block; the keys follow it.
struct alignas(16) TileScratch {
  SelectScratch<kTileThreads> select;
  std::uint64_t counts[kWholeTileWarpTiles];
  unsigned candidates_begin;
};

/// Keys of neighbouring elements in shared memory.
struct SharedKeys {
  const std::uint32_t* key;
  std::int32_t first_position;
  int count;
  int warp_tile;  ///< elements

  template <class Visit>
  __device__ void for_each_key(const Visit& visit) const {
    for (int i = threadIdx.x; i < count; i += blockDim.x) visit(key[i]);
  }
  __device__ int warp_tiles() const { return static_cast<int>(divide_up(count, warp_tile)); }
  template <class Visit>
  __device__ void visit_warp_tile(int number, const Visit& visit) const {
    const int end = std::min(count, (number + 1) * warp_tile);
    for_each_by_warp(number * warp_tile, end,
                     [&](int i, bool inside) { visit(first_position + i, inside ? key[i] : 0u); });
  }
};

/// Moves a selected element to its message.
struct MoveToMessage {
  float* row;
  std::int32_t* position;
  float* value;

  __device__ void operator()(unsigned to, std::int32_t p, std::uint32_t) const {
    position[to] = p;
    value[to] = row[p];
    row[p] = 0;
  }
};

/// Returns what moves elements of a group to the message of `node`.
__device__ inline MoveToMessage mover(MatrixView<float> v, const Messages& messages, int node,
                                      const SelectionGroup& group) {
  return {v.row(node), messages.position.row(node) + group.message_begin,
          messages.value.row(node) + group.message_begin};
}

/// Finds what selects `entries` of few keys, by bisection; a warp calls it. It ends early at a key that exactly
/// `entries` keys reach.
__device__ inline Threshold find_threshold_by_warp(const SharedKeys& keys, unsigned entries) {
  std::uint32_t low = 1, high = kLargestKey;  // at least `entries` keys reach low; `above` exceed high
  unsigned above = 0;
  while (low < high) {
    const std::uint32_t middle = low + (high - low + 1) / 2;
    unsigned reach = 0;
    keys.visit_warp_tile(0,
                         [&](std::int32_t, std::uint32_t key) { reach += __popc(__ballot_sync(~0u, key >= middle)); });
    if (reach == entries) return {middle - 1, 0};
    if (reach > entries) {
      low = middle;
    } else {
      high = middle - 1;
      above = reach;
    }
  }
  return {low, entries - above};
}

/// Selects from every group of a whole tile; keys: of the tile.
__device__ inline void select_groups(std::span<const SelectionGroup> groups, const SharedKeys& keys,
                                     MatrixView<float> v, const Messages& messages, int node, TileScratch& scratch) {
  const auto keys_of = [&](const SelectionGroup& group, int warp_tile) {
    const int begin = 4 * group.range.begin;
    return SharedKeys{keys.key + (begin - keys.first_position), begin, 4 * group.range.quads(), warp_tile};
  };
  const auto is_small = [](const SelectionGroup& group) { return 4 * group.range.quads() <= kWarpGroup; };
  for (std::int64_t g = warp(); g < std::ssize(groups); g += warps()) {
    const SelectionGroup group = groups[g];
    if (!is_small(group)) continue;
    const SharedKeys own = keys_of(group, kWarpGroup);
    emit_warp_tile(own, 0, find_threshold_by_warp(own, group.entries), 0, mover(v, messages, node, group));
  }
  for (const SelectionGroup& group : groups) {
    if (is_small(group)) continue;
    radix_select(keys_of(group, kSharedWarpTile), group.entries, scratch.counts, scratch.select,
                 mover(v, messages, node, group));
  }
}

/// Lists the elements of a part tile that may be selected, by position. Tiles reserve their places among the group's
/// candidates as they come: an atomic sum, whose order leaves no trace in the result.
__device__ inline void list_candidates(const SelectionTile& tile, const LargeGroup& large, const SharedKeys& keys,
                                       const SelectionStates& states, int state_row, TileScratch& scratch) {
  GroupState& group = states.groups.row(state_row)[tile.large];
  if (group.start == 0) return;
  const Threshold threshold{group.start, 0};  // a rank key is larger by one than its magnitude key
  count_warp_tiles(keys, threshold, scratch.counts, scratch.select);
  __syncthreads();
  const std::uint64_t total = scan_counts(scratch.counts, keys.warp_tiles(), scratch.select);
  const unsigned found = Counts::larger(total);
  if (threadIdx.x == 0) {
    scratch.candidates_begin = atomicAdd(&group.candidates, found);
    states.parts.row(state_row)[tile.part] = {static_cast<std::int32_t>(scratch.candidates_begin),
                                              static_cast<std::int32_t>(found)};
  }
  __syncthreads();
  const unsigned begin = scratch.candidates_begin;
  if (begin + found > static_cast<unsigned>(large.candidates_room)) return;
  std::int32_t* const position = states.position.row(state_row) + large.candidates_begin + begin;
  std::uint32_t* const key = states.key.row(state_row) + large.candidates_begin + begin;
  emit_warp_tiles(keys, threshold, scratch.counts, total, [&](unsigned to, std::int32_t p, std::uint32_t k) {
    position[to] = p;
    key[to] = k;
  });
}

/// Arguments of the kernels of a selection.
struct Selection {
  std::span<const SelectionTile> tiles;    ///< [tiles] of all plans
  std::span<const SelectionGroup> groups;  ///< [groups] of all plans
  std::span<const LargeGroup> large;       ///< [large groups] of all plans
  std::span<const QuadRange> parts;        ///< [part tiles] of all plans
  std::span<const std::uint8_t> live;      ///< [row / 4]
  std::span<const Padding> paddings;       ///< of the row
  SelectionStates states;
  int nodes_per_plan;
  MatrixView<float> v;  ///< [nodes, row]
  Messages messages;    ///< [slots >= nodes, entries]
};

/// Takes the tile's quads from the source, a thread per quad, and leaves their keys in shared memory.
template <class Row>
__device__ void load_tile(const Row& row, QuadRange range, std::span<const std::uint8_t> live, KeyQuad* keys) {
  for (int quad = range.begin + static_cast<int>(threadIdx.x); quad < range.end; quad += kTileThreads) {
    const int elements = live[quad];
    const Quad v = row.load(quad, elements);
    KeyQuad key{};
    for_each_lane(elements, [&](int lane) { key.lane[lane] = rank_key(v.lane[lane]); });
    keys[quad - range.begin] = key;
  }
}

/// Selects from tiles, one block per (tile, node), in strides of the grid: large tiles come first, and each for all
/// nodes, so that every block has about the same work. source.row(node).load(quad, live) returns a quad of v, which
/// then stands in memory.
template <class Source>
__global__ void __launch_bounds__(kTileThreads, kTileBlocks) select_tiles_kernel(Source source, Selection s) {
  TileScratch& scratch = *dynamic_shared<TileScratch>();
  KeyQuad* const key_quads = reinterpret_cast<KeyQuad*>(&scratch + 1);
  const std::int64_t items = std::ssize(s.tiles) * s.nodes_per_plan;
  for (std::int64_t item = blockIdx.x; item < items; item += gridDim.x) {
    const SelectionTile tile = s.tiles[item / s.nodes_per_plan];
    const auto state_row = static_cast<int>(item % s.nodes_per_plan);
    const int node = tile.plan * s.nodes_per_plan + state_row;
    load_tile(source.row(node), tile.range, s.live, key_quads);
    __syncthreads();
    const SharedKeys keys{key_quads->lane, 4 * tile.range.begin, 4 * tile.range.quads(), kSharedWarpTile};
    if (tile.part < 0)
      select_groups(s.groups.subspan(tile.first_group, tile.last_group - tile.first_group), keys, s.v, s.messages, node,
                    scratch);
    else
      list_candidates(tile, s.large[tile.large], keys, s.states, state_row, scratch);
    __syncthreads();
  }
}

/// Does the second launch. most_parts: part tiles of the largest group.
void finish_large(const Cuda& gpu, const Selection& selection, int most_parts);

inline Selection selection_of(SelectionMemory<Cuda>& memory, MatrixView<float> v, const Messages& messages) {
  const auto& [layout, s] = memory.contents();
  return {.tiles = s.tiles(),
          .groups = s.groups(),
          .large = s.large(),
          .parts = s.parts(),
          .live = layout.live(),
          .paddings = layout.paddings(),
          .states = s.states(),
          .nodes_per_plan = s.nodes_per_plan(),
          .v = v,
          .messages = messages};
}

/// Does both launches, for the elements that `source` yields and leaves in v.
template <class Source>
void run_selection(const Cuda& gpu, SelectionMemory<Cuda>& memory, const Source& source, MatrixView<float> v,
                   const Messages& messages) {
  const SelectionTiles& host = memory.contents().selection.host();
  if (host.tiles.empty()) return;
  const QuadRange largest = host.tiles[0].range;
  const Selection selection = selection_of(memory, v, messages);
  const std::int64_t items = std::ssize(host.tiles) * selection.nodes_per_plan;
  launch(gpu,
         {.blocks = blocks_for(gpu, items, kTileBlocks),
          .threads = kTileThreads,
          .shared_bytes = sizeof(TileScratch) + largest.quads() * sizeof(KeyQuad)},
         select_tiles_kernel<Source>, source, selection);
  if (!selection.large.empty()) finish_large(gpu, selection, host.most_parts);
}

}  // namespace sparsepush
