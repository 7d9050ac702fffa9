#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/quad.h"
#include "kernels/mixing/difference_mix.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

/// One thread per 4 neighbouring elements of all nodes' rows, in strides of the grid: in-edges one after the other.
__global__ void difference_mix_kernel(DifferenceMix mix) {
  const std::int64_t row_quads = mix.sum.cols / 4, quads = mix.sum.rows * row_quads;
  for (std::int64_t i = grid_thread(); i < quads; i += grid_threads()) {
    const std::int64_t node = i / row_quads, column = i % row_quads;
    if (!is_mixed(mix.edges, mix.mixed, node)) continue;
    const Quad own = load_quad(mix.q.data, i);
    Quad sum{};
    for (std::int64_t e = mix.edges.begin[node], end = mix.edges.begin[node + 1]; e < end; ++e) {
      const Quad theirs = load_quad(mix.q.row(mix.edges.slot[e]), column);
      for (int lane = 0; lane < 4; ++lane)
        sum.lane[lane] = __fmaf_rn(mix.edges.weight[e], theirs.lane[lane] - own.lane[lane], sum.lane[lane]);
    }
    store_quad(sum, mix.sum.data, i);
  }
}

}  // namespace

void difference_mix(const Cuda& gpu, const DifferenceMix& mix) {
  check_difference_mix_shapes(mix);
  const std::int64_t quads = static_cast<std::int64_t>(mix.sum.size()) / 4;
  if (quads == 0) return;
  launch(gpu, thread_each(gpu, quads, kThreads), difference_mix_kernel, mix);
}

}  // namespace sparsepush
