#include <algorithm>

#include "kernels/cuda_launch.h"
#include "kernels/due_round.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

/// Where the round goes.
struct Destination {
  std::int64_t *begin, *copies;
  std::int32_t* slot;
  float *weight, *self_weight;
};

/// A thread per node and per edge, in strides of the grid.
__global__ void load_due_round_kernel(RoundBlock block, const std::int64_t* due, Destination to) {
  const std::int64_t nodes = block.nodes, round = (*due - *block.first_round) % block.rounds();
  const std::int64_t first = block.first_edge[round], edges = block.first_edge[round + 1] - first;
  for (std::int64_t i = grid_thread(); i <= nodes; i += grid_threads())
    to.begin[i] = block.begin[round * (nodes + 1) + i];
  for (std::int64_t i = grid_thread(); i < nodes; i += grid_threads()) {
    to.copies[i] = block.copies[round * nodes + i];
    to.self_weight[i] = block.self_weight[round * nodes + i];
  }
  for (std::int64_t e = grid_thread(); e < edges; e += grid_threads()) {
    to.slot[e] = block.slot[first + e];
    to.weight[e] = block.weight[first + e];
  }
}

}  // namespace

void DueRound<Cuda>::load(const Cuda& gpu, const RoundBlock& block, const std::int64_t* due) {
  check_round_block(block);
  if (block.rounds() == 1) {
    edges_ = {block.begin, block.slot, block.weight, block.self_weight};
    due_copies_ = block.copies;
    return;
  }
  edges_ = {begin_.span(), slot_.span(), weight_.span(), self_weight_.span()};
  due_copies_ = copies_.span();
  const std::int64_t items = std::max(begin_.span().size(), slot_.span().size());
  launch(gpu, {.blocks = blocks_for(gpu, (items + kThreads - 1) / kThreads), .threads = kThreads},
         load_due_round_kernel, block, due,
         Destination{begin_.span().data(), copies_.span().data(), slot_.span().data(), weight_.span().data(),
                     self_weight_.span().data()});
}

}  // namespace sparsepush
