#include "kernels/mixing/block_mix.h"

#include <algorithm>
#include <cmath>

#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/multiversion.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

void check_blocks(const ModelBlocks& blocks, MatrixView<const float> x, MatrixView<const double> weight) {
  CHECK(blocks.begin.size() >= 2, "begin [", blocks.begin.size(), "]");
  CHECK(weight.rows == x.rows && weight.cols == blocks.count(), "weight ", weight, ", x ", x, ", blocks ",
        blocks.count());
}

void check_room(const DueBlock& due, std::int64_t longest) {
  CHECK(due.length <= longest, "block of ", due.length, " positions, room for ", longest);
}

/// mixed += weight * row.
[[gnu::always_inline]] inline void add_row(float weight, const float* __restrict row, float* __restrict mixed,
                                           std::int64_t columns) {
  for (std::int64_t c = 0; c < columns; ++c) mixed[c] = std::fma(weight, row[c], mixed[c]);
}

}  // namespace

std::vector<std::int64_t> block_begins(const RowLayout& layout, std::int64_t blocks) {
  CHECK(blocks >= 1 && blocks <= layout.params, "blocks ", blocks, ", elements ", layout.params);
  std::vector<std::int64_t> begins;
  auto segment = layout.segments.begin();
  for (std::int64_t b = 0; b < blocks; ++b) {
    const std::int64_t first = b * layout.params / blocks;
    while (segment->packed_begin + segment->size <= first) ++segment;
    begins.push_back(segment->begin + first - segment->packed_begin);
  }
  begins.push_back(layout.row);
  return begins;
}

std::int64_t longest_block(const RowLayout& layout, std::int64_t blocks) {
  const std::vector<std::int64_t> begins = block_begins(layout, blocks);
  std::int64_t longest = 0;
  for (std::size_t b = 0; b + 1 < begins.size(); ++b) longest = std::max(longest, begins[b + 1] - begins[b]);
  return rounded_up(longest, 4);
}

void check_cut_block_shapes(const CutBlock& cut) {
  check_blocks(cut.blocks, cut.x, cut.weight);
  CHECK(cut.block.rows == cut.x.rows, "block ", cut.block, ", x ", cut.x);
  CHECK(cut.u.size() == static_cast<std::size_t>(cut.x.rows), "u [", cut.u.size(), "], x ", cut.x);
}

void check_mix_block_shapes(const MixBlock& mix) {
  check_blocks(mix.blocks, mix.x, mix.weight);
  CHECK(mix.u.size() == static_cast<std::size_t>(mix.block.rows), "u [", mix.u.size(), "], block ", mix.block);
  check_round_edges(mix.edges, mix.x.rows, mix.block.rows, mix.mixed);
}

void check_debias_blocks_shapes(MatrixView<const float> x, MatrixView<const double> weight, const ModelBlocks& blocks,
                                MatrixView<const float> z) {
  check_blocks(blocks, x, weight);
  CHECK(z.rows == x.rows && z.cols == x.cols, "z ", z, ", x ", x);
}

void cut_block(const Cpu& cpu, const CutBlock& cut) {
  check_cut_block_shapes(cut);
  const DueBlock due = due_block(cut.blocks);
  check_room(due, cut.block.cols);
  for (MessageBytes& bytes : cut.bytes) set_block_bytes(cut.blocks, due.number, bytes);
  cpu.pool().run(cut.x.rows, [&](std::int64_t node, int) {
    float* const behind = std::copy_n(cut.x.row(node) + due.begin, due.length, cut.block.row(node));
    std::fill(behind, cut.block.row(node) + cut.block.cols, 0.0f);
    cut.u[node] = cut.weight.row(node)[due.number];
  });
}

void mix_block(const Cpu& cpu, const MixBlock& mix) {
  check_mix_block_shapes(mix);
  check_round_edge_values(mix.edges, mix.block.rows, mix.mixed);
  const DueBlock due = due_block(mix.blocks);
  check_room(due, mix.block.cols);
  cpu.pool().run(mix.x.rows, [&](std::int64_t node, int) {
    const RoundEdges& edges = mix.edges;
    if (!is_mixed(edges, mix.mixed, node)) return;
    float* const mixed = mix.x.row(node) + due.begin;
    const auto add_rows = [&]() __attribute__((always_inline)) {
      add_row(edges.self_weight[node], mix.block.row(node), mixed, due.length);
      for (std::int64_t e = edges.begin[node]; e < edges.begin[node + 1]; ++e)
        add_row(edges.weight[e], mix.block.row(edges.slot[e]), mixed, due.length);
    };
    run_vectorized(cpu.vector_level(), add_rows);
    mix.weight.row(node)[due.number] = mixed_weight(edges, node, mix.u);
  });
}

void debias_blocks(const Cpu& cpu, MatrixView<const float> x, MatrixView<const double> weight,
                   const ModelBlocks& blocks, MatrixView<float> z) {
  check_debias_blocks_shapes(x, weight, blocks, z);
  cpu.pool().run(x.rows, [&](std::int64_t node, int) {
    run_vectorized(
        cpu.vector_level(), [&]() __attribute__((always_inline)) {
          for (std::int64_t b = 0; b < blocks.count(); ++b) {
            const float r = debias_factor(weight.row(node)[b]);
            for (std::int64_t c = blocks.begin[b]; c < blocks.begin[b + 1]; ++c) z.row(node)[c] = x.row(node)[c] * r;
          }
        });
  });
}

}  // namespace sparsepush
