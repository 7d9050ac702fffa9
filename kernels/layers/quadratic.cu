#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/cuda_scratch.h"
#include "kernels/backend/ordered_sum.h"
#include "kernels/layers/quadratic.h"
#include "kernels/layers/quadratic_terms.h"

namespace sparsepush {
namespace {

// All kernels: one block per node, in strides of the grid. Threads compute coordinates in turn; the loss is an ordered
// sum, which the first warp adds up.

__global__ void quadratic_gradient_kernel(QuadraticGradient step) {
  for (std::int64_t node = blockIdx.x; node < step.x.rows; node += gridDim.x) {
    const QuadraticNode n = quadratic_node(step.objective, step.x, step.u, node);
    float* gradient = step.gradient.row(node);
    const double sum = ordered_sum<1>(step.x.cols, [&](std::int64_t j) {
      gradient[j] = n.gradient(j);
      return n.term(j);
    });
    if (threadIdx.x == 0) step.loss[node] += 0.5 * sum;
  }
}

/// nodes, loss: as in `at`, but in the GPU's memory.
__global__ void quadratic_loss_kernel(QuadraticLoss at, const int* nodes, double* loss) {
  for (std::int64_t i = blockIdx.x; i < std::ssize(at.nodes); i += gridDim.x) {
    const QuadraticNode n = quadratic_node(at.objective, at.x, at.u, nodes[i]);
    const double sum = ordered_sum<1>(at.x.cols, [&](std::int64_t j) { return n.term(j); });
    if (threadIdx.x == 0) loss[i] = 0.5 * sum;
  }
}

/// point: [row], loss: [nodes] of the nodes from `first_node` on.
__global__ void quadratic_loss_at_kernel(QuadraticView objective, const double* point, int first_node,
                                         std::span<double> loss) {
  for (std::int64_t i = blockIdx.x; i < std::ssize(loss); i += gridDim.x) {
    const QuadraticRow problem = quadratic_row(objective, first_node + i);
    const double sum =
        ordered_sum<1>(objective.curvature.cols, [&](std::int64_t j) { return problem.term(j, point[j]); });
    if (threadIdx.x == 0) loss[i] = 0.5 * sum;
  }
}

}  // namespace

void quadratic_gradient(const Cuda& gpu, const QuadraticGradient& step) {
  check_quadratic_gradient_shapes(step);
  launch(gpu, ordered_sum_shape(gpu, std::ssize(step.loss)), quadratic_gradient_kernel, step);
}

void quadratic_loss(const Cuda& gpu, const QuadraticLoss& at) {
  check_quadratic_loss_shapes(at);
  const CudaScratch<int> nodes(gpu, at.nodes);
  const CudaScratch<double> loss(gpu, at.loss.size());
  launch(gpu, ordered_sum_shape(gpu, std::ssize(at.nodes)), quadratic_loss_kernel, at, nodes.data(), loss.data());
  loss.read(at.loss);
}

void quadratic_loss_at(const Cuda& gpu, const QuadraticView& objective, std::span<const double> point, int first_node,
                       std::span<double> loss) {
  check_quadratic_loss_at_shapes(objective, point, first_node, loss);
  const CudaScratch<double> point_there(gpu, point), loss_there(gpu, loss.size());
  launch(gpu, ordered_sum_shape(gpu, std::ssize(loss)), quadratic_loss_at_kernel, objective, point_there.data(),
         first_node, std::span<double>(loss_there.data(), loss.size()));
  loss_there.read(loss);
}

}  // namespace sparsepush
