#include "kernels/backend/cuda_launch.h"
#include "kernels/mixing/round_edges.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 128;

/// One thread per node, in strides of the grid.
__global__ void mix_push_weights_kernel(RoundEdges edges, std::span<const double> before, std::span<double> u) {
  for (std::int64_t i = grid_thread(); i < std::ssize(u); i += grid_threads()) u[i] = mixed_weight(edges, i, before);
}

}  // namespace

void mix_push_weights(const Cuda& gpu, const RoundEdges& edges, std::span<const double> before, std::span<double> u) {
  check_round_edges(edges, static_cast<int>(u.size()), static_cast<int>(before.size()));
  launch(gpu, thread_each(gpu, std::ssize(u), kThreads), mix_push_weights_kernel, edges, before, u);
}

}  // namespace sparsepush
