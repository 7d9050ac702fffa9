#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/ordered_sum.h"
#include "kernels/mixing/flag_due.h"

namespace sparsepush {
namespace {

/// One block per replica, in strides of the grid. A node's two numbers lie side by side, and so do the two sums.
__global__ void flag_due_kernel(FlagDue flag) {
  const std::int64_t replicas = std::ssize(flag.due), nodes = flag.drift.rows / replicas;
  for (std::int64_t r = blockIdx.x; r < replicas; r += gridDim.x) {
    const float* drift = flag.drift.row(r * nodes);
    const double sum = partial_sum<2>(2 * nodes, [drift](std::int64_t k) { return static_cast<double>(drift[k]); });
    const double squares = __shfl_sync(~0u, sum, 0), along = __shfl_sync(~0u, sum, 1);
    if (threadIdx.x != 0) continue;
    flag.due[r] = exceeds(flag.limit[r], squares, along, nodes) ? 1 : 0;
    flag.syncs[r] += flag.due[r];
  }
}

}  // namespace

void flag_due(const Cuda& gpu, const FlagDue& flag) {
  check_flag_due_shapes(flag);
  launch(gpu, ordered_sum_shape(gpu, std::ssize(flag.due)), flag_due_kernel, flag);
}

}  // namespace sparsepush
