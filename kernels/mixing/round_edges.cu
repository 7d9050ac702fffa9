#include "kernels/backend/cuda_launch.h"
#include "kernels/mixing/round_edges.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 128;

/// One thread per node, in strides of the grid.
__global__ void mix_push_weights_kernel(RoundEdges edges, std::span<const double> before, std::span<double> u) {
  for (std::int64_t i = grid_thread(); i < std::ssize(u); i += grid_threads()) {
    double mixed = __fma_rn(static_cast<double>(edges.self_weight[i]), before[i], before[i]);
    for (std::int64_t e = edges.begin[i]; e < edges.begin[i + 1]; ++e)
      mixed = __fma_rn(static_cast<double>(edges.weight[e]), before[edges.slot[e]], mixed);
    u[i] = mixed;
  }
}

}  // namespace

void mix_push_weights(const Cuda& gpu, const RoundEdges& edges, std::span<const double> before, std::span<double> u) {
  check_round_edges(edges, static_cast<int>(u.size()), static_cast<int>(before.size()));
  const std::int64_t blocks = (std::ssize(u) + kThreads - 1) / kThreads;
  launch(gpu, {.blocks = blocks_for(gpu, blocks), .threads = kThreads}, mix_push_weights_kernel, edges, before, u);
}

}  // namespace sparsepush
