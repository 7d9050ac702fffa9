// Rounds that mix one block of every row, the next one in the next round, with push-sum weights of each block.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"
#include "kernels/messages/traffic.h"
#include "kernels/mixing/round_edges.h"
#include "kernels/nodes/row_layout.h"

namespace sparsepush {

/// Blocks of a row by unpadded index: block b of B is [floor(b d / B), floor((b + 1) d / B)) of d elements. Padding
/// belongs to the block before it. Spans are in backend memory.
struct ModelBlocks {
  std::span<const std::int64_t> begin;  ///< [B + 1] positions in padded rows
  const std::int64_t* round = nullptr;  ///< [1] block *round mod B is due
  std::int64_t params = 0;              ///< d

  constexpr std::int64_t count() const { return std::ssize(begin) - 1; }
};

/// The block that is due: number, first position and length.
struct DueBlock {
  std::int64_t number, begin, length;
};

constexpr DueBlock due_block(const ModelBlocks& blocks) {
  const std::int64_t b = *blocks.round % blocks.count();
  return {b, blocks.begin[b], blocks.begin[b + 1] - blocks.begin[b]};
}

/// Counts the bytes of a message of block b: its elements, padding left out, and u, 4 bytes each.
constexpr std::int64_t block_message_bytes(std::int64_t params, std::int64_t blocks, std::int64_t b) {
  return 4 * ((b + 1) * params / blocks - b * params / blocks) + 4;
}

/// Returns ModelBlocks::begin for `blocks` blocks, at most as many as there are elements.
std::vector<std::int64_t> block_begins(const RowLayout& layout, std::int64_t blocks);

/// Positions of the longest block, a multiple of 4.
std::int64_t longest_block(const RowLayout& layout, std::int64_t blocks);

/// Arguments of `cut_block`.
struct CutBlock {
  MatrixView<const float> x;        ///< [nodes, row] push-sum numerators
  MatrixView<const double> weight;  ///< [nodes, B] push-sum weights of blocks
  ModelBlocks blocks;
  MatrixView<float> block;             ///< [nodes, longest block] written
  std::span<double> u;                 ///< [nodes] written
  std::span<MessageBytes> bytes = {};  ///< any number of messages of the due block; written but for `dense`
};

/// Copies what is due of rows and weights; elements of `block` behind it become 0. Backends agree exactly.
void cut_block(const Cpu& cpu, const CutBlock& cut);
void cut_block(const Cuda& gpu, const CutBlock& cut);

/// Arguments of `mix_block`.
struct MixBlock {
  MatrixView<float> x;        ///< [nodes, row]
  MatrixView<double> weight;  ///< [nodes, B]
  ModelBlocks blocks;
  MatrixView<const float> block;  ///< [slots, longest block] as cut, the nodes' own first
  std::span<const double> u;      ///< [slots]
  RoundEdges edges;
  MixedNodes mixed = MixedNodes::kAll;  ///< interior nodes need the slots of the nodes only
};

/// Mixes x += eta (P - I) x within the due block, and likewise its weights; in the order of `dense_mix` and
/// `mix_push_weights`. Rows and weights of nodes that are not mixed stay as they are. Backends agree exactly.
void mix_block(const Cpu& cpu, const MixBlock& mix);
void mix_block(const Cuda& gpu, const MixBlock& mix);

/// De-biases: z = x * (float)(1.0 / weight of its block), element by element; x, z: [nodes, row], weight: [nodes, B].
/// Backends agree exactly.
void debias_blocks(const Cpu& cpu, MatrixView<const float> x, MatrixView<const double> weight,
                   const ModelBlocks& blocks, MatrixView<float> z);
void debias_blocks(const Cuda& gpu, MatrixView<const float> x, MatrixView<const double> weight,
                   const ModelBlocks& blocks, MatrixView<float> z);

/// Checks the shapes above.
void check_cut_block_shapes(const CutBlock& cut);
void check_mix_block_shapes(const MixBlock& mix);
void check_debias_blocks_shapes(MatrixView<const float> x, MatrixView<const double> weight, const ModelBlocks& blocks,
                                MatrixView<const float> z);

/// Sets what a message of the due block counts.
constexpr void set_block_bytes(const ModelBlocks& blocks, std::int64_t due, MessageBytes& bytes) {
  bytes.authors = bytes.coo32 = bytes.wire = block_message_bytes(blocks.params, blocks.count(), due);
}

}  // namespace sparsepush
