#include <cub/block/block_scan.cuh>

#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/messages/random_k.h"
#include "kernels/nodes/unpadded_index.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256, kScanThreads = 512;
constexpr int kBits = 32;  // of a word of the set

/// The drawn positions of every replica as a set.
struct PositionSets {
  std::uint32_t* word;  ///< [replicas, words]
  std::int64_t words;   ///< of a row
};

/// A thread per entry of a replica's message, in strides of the grid: draws it, and adds its position to the set.
__global__ void draw_positions_kernel(RandomK round, MatrixView<const RandomGroup> groups,
                                      std::span<const std::int64_t> entries, std::span<const Padding> paddings,
                                      PositionSets sets) {
  const std::int64_t most = round.messages.position.cols;
  for (std::int64_t i = grid_thread(); i < groups.rows * most; i += grid_threads()) {
    const std::int64_t replica = i / most, entry = i % most;
    if (entry >= entries[replica]) continue;
    const RandomGroup* const row = groups.row(replica);
    const int behind = count_before(groups.cols, [&](int g) { return row[g].message_begin <= entry; });
    const RandomGroup group = row[behind - 1];
    const Draw draw{.seed = round.draws.seed[replica],
                    .purpose = Purpose::kCompress,
                    .node = group.node,
                    .step = static_cast<std::uint64_t>(*round.draws.round)};
    const std::uint32_t index = random_permutation(draw, static_cast<std::uint32_t>(entry - group.message_begin),
                                                   static_cast<std::uint32_t>(group.size));
    const std::int64_t position = padded_index(paddings, group.first + index);
    atomicAdd(&sets.word[replica * sets.words + position / kBits], 1u << (position % kBits));  // each once: an or
  }
}

/// A block per replica, in strides of the grid, writes the set in order to the message of its first row: threads take
/// neighbouring words, and a scan says where each begins.
__global__ void list_positions_kernel(MatrixView<std::int32_t> position, int nodes, int replicas, PositionSets sets) {
  using Scan = cub::BlockScan<int, kScanThreads>;
  __shared__ typename Scan::TempStorage memory;
  for (std::int64_t replica = blockIdx.x; replica < replicas; replica += gridDim.x) {
    std::int32_t* out = position.row(replica * nodes);
    for (std::int64_t begin = 0; begin < sets.words; begin += kScanThreads) {
      const std::int64_t w = begin + threadIdx.x;
      const unsigned word = w < sets.words ? sets.word[replica * sets.words + w] : 0;
      int before = 0, all = 0;
      Scan(memory).ExclusiveSum(__popc(word), before, all);
      for (int bit = 0; bit < kBits; ++bit)
        if ((word >> bit & 1u) != 0) out[before++] = static_cast<std::int32_t>(w * kBits + bit);
      out += all;
      __syncthreads();  // the next scan's memory is the same
    }
  }
}

/// A thread per entry of a row, in strides of the grid.
__global__ void take_entries_kernel(RandomK round, std::span<const std::int64_t> entries) {
  const std::int64_t most = round.messages.position.cols, nodes = round.v.rows / std::ssize(entries);
  for (std::int64_t i = grid_thread(); i < round.v.rows * most; i += grid_threads()) {
    const std::int64_t row = i / most, entry = i % most, replica = row / nodes;
    if (entry >= entries[replica]) continue;
    const std::int32_t position = round.messages.position.row(replica * nodes)[entry];
    if (row != replica * nodes) round.messages.position.row(row)[entry] = position;
    float& v = round.v.row(row)[position];
    round.messages.value.row(row)[entry] = v;
    v = 0;
  }
}

}  // namespace

void random_k(const Cuda& gpu, const CudaLayout& layout, const RandomPlans<Cuda>& plans, const RandomK& round) {
  const MatrixView<const RandomGroup> groups = plans.groups.view();
  check_random_k_shapes(layout.host(), groups.rows, plans.most_entries, round);
  const int nodes = round.v.rows / groups.rows;
  if (nodes == 0 || plans.most_entries == 0) return;
  const std::int64_t most = round.messages.position.cols;
  const std::span<const std::int64_t> entries = plans.entries.span();
  const MatrixView<std::uint32_t> drawn = plans.drawn.view();
  const PositionSets sets{drawn.data, drawn.cols};
  clear(gpu, drawn.data, drawn.size() * sizeof(std::uint32_t));
  launch(gpu, thread_each(gpu, groups.rows * most, kThreads), draw_positions_kernel, round, groups, entries,
         layout.paddings(), sets);
  launch(gpu, {.blocks = blocks_for(gpu, groups.rows), .threads = kScanThreads}, list_positions_kernel,
         round.messages.position, nodes, groups.rows, sets);
  launch(gpu, thread_each(gpu, round.v.rows * most, kThreads), take_entries_kernel, round, entries);
}

}  // namespace sparsepush
