#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/quad.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

/// One thread per 4 neighbouring elements of all nodes' rows, in strides of the grid.
__global__ void debias_kernel(MatrixView<const float> x, std::span<const double> u, MatrixView<float> z) {
  const std::int64_t row_quads = x.cols / 4, quads = x.rows * row_quads;
  for (std::int64_t i = grid_thread(); i < quads; i += grid_threads()) {
    const float r = debias_factor(u[i / row_quads]);
    Quad quad = load_quad(x.data, i);
    for (int lane = 0; lane < 4; ++lane) quad.lane[lane] = __fmul_rn(quad.lane[lane], r);
    store_quad(quad, z.data, i);
  }
}

}  // namespace

void debias(const Cuda& gpu, MatrixView<const float> x, std::span<const double> u, MatrixView<float> z) {
  check_debias_shapes(x, u, z);
  const std::int64_t quads = static_cast<std::int64_t>(x.size()) / 4;
  if (quads == 0) return;
  launch(gpu, thread_each(gpu, quads, kThreads), debias_kernel, x, u, z);
}

}  // namespace sparsepush
