#include "kernels/backend/cuda_launch.h"
#include "kernels/mixing/mean_rows.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

/// One thread per column of a replica, in strides of the grid: neighbours read neighbouring elements of every row.
__global__ void mean_rows_kernel(MeanRows mean) {
  const std::int64_t nodes = mean.x.rows / mean.replicas,
                     columns = static_cast<std::int64_t>(mean.x.cols) * mean.replicas;
  for (std::int64_t k = grid_thread(); k < columns; k += grid_threads()) {
    const std::int64_t replica = k / mean.x.cols, first = replica * nodes, column = k % mean.x.cols;
    if (!is_due(mean.due, replica)) continue;
    double sum = 0;
    for (std::int64_t i = first; i < first + nodes; ++i) sum += static_cast<double>(mean.x.row(i)[column]);
    const auto value = static_cast<float>(sum / sum_of_weights(mean.u, first, nodes));
    for (std::int64_t i = first; i < first + nodes; ++i) mean.x.row(i)[column] = value;
  }
}

}  // namespace

void mean_rows(const Cuda& gpu, const MeanRows& mean) {
  check_mean_rows_shapes(mean);
  const std::int64_t columns = static_cast<std::int64_t>(mean.x.cols) * mean.replicas;
  if (columns == 0 || mean.x.rows == 0) return;
  launch(gpu, thread_each(gpu, columns, kThreads), mean_rows_kernel, mean);
}

}  // namespace sparsepush
