#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/quad.h"
#include "kernels/nodes/subtract.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

/// One thread per 4 neighbouring elements of all nodes' rows, in strides of the grid.
__global__ void subtract_kernel(MatrixView<const float> a, MatrixView<const float> b, MatrixView<float> difference) {
  const std::int64_t quads = static_cast<std::int64_t>(difference.size()) / 4;
  for (std::int64_t i = grid_thread(); i < quads; i += grid_threads()) {
    Quad quad = load_quad(a.data, i);
    const Quad other = load_quad(b.data, i);
    for (int lane = 0; lane < 4; ++lane) quad.lane[lane] -= other.lane[lane];
    store_quad(quad, difference.data, i);
  }
}

}  // namespace

void subtract(const Cuda& gpu, MatrixView<const float> a, MatrixView<const float> b, MatrixView<float> difference) {
  check_subtract_shapes(a, b, difference);
  const std::int64_t quads = static_cast<std::int64_t>(difference.size()) / 4;
  if (quads == 0) return;
  launch(gpu, thread_each(gpu, quads, kThreads), subtract_kernel, a, b, difference);
}

}  // namespace sparsepush
