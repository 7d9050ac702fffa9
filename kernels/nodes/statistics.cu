#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/cuda_scratch.h"
#include "kernels/backend/ordered_sum.h"
#include "kernels/nodes/statistics.h"

namespace sparsepush {
namespace {

constexpr int kColumnThreads = 64;  // few a block: a thread adds a whole column, and there may be few columns

/// One thread per column, in strides of the grid; it walks down the rows, as their order demands.
__global__ void add_rows_kernel(MatrixView<const float> x, std::int64_t first, double* sums, std::int64_t columns) {
  for (std::int64_t c = grid_thread(); c < columns; c += grid_threads()) {
    double sum = sums[c];
    for (std::int64_t i = 0; i < x.rows; ++i) sum += static_cast<double>(x.row(i)[first + c]);
    sums[c] = sum;
  }
}

/// One block per row, in strides of the grid; threads compute columns in turn. The sum is not CUB's, whose order of
/// terms is its own: it has to be that of the Cpu.
__global__ void squared_distances_kernel(MatrixView<const float> x, const double* u, const double* center,
                                         double* distance) {
  for (std::int64_t i = blockIdx.x; i < x.rows; i += gridDim.x) {
    const double sum = ordered_sum<kStatisticsLanes>(x.cols, [&](std::int64_t c) {
      const double difference = static_cast<double>(x.row(i)[c]) / u[i] - center[c];
      return difference * difference;
    });
    if (threadIdx.x == 0) distance[i] = sum;
  }
}

/// One block per row, in strides of the grid; threads and sums as in `squared_distances_kernel`.
__global__ void squared_norms_kernel(MatrixView<const float> x, double* norm) {
  for (std::int64_t i = blockIdx.x; i < x.rows; i += gridDim.x) {
    const double sum = ordered_sum<kStatisticsLanes>(x.cols, [&](std::int64_t c) {
      const double value = x.row(i)[c];
      return value * value;
    });
    if (threadIdx.x == 0) norm[i] = sum;
  }
}

}  // namespace

void add_rows(const Cuda& gpu, MatrixView<const float> x, std::int64_t first, std::span<double> sums) {
  check_add_rows_shapes(x, first, sums);
  const CudaScratch<double> there(gpu, sums);
  launch(gpu, thread_each(gpu, std::ssize(sums), kColumnThreads), add_rows_kernel, x, first, there.data(),
         std::ssize(sums));
  there.read(sums);
}

void squared_distances(const Cuda& gpu, MatrixView<const float> x, std::span<const double> u,
                       std::span<const double> center, std::span<double> distance) {
  check_squared_distances_shapes(x, u, center, distance);
  const CudaScratch<double> center_there(gpu, center), distance_there(gpu, distance.size());
  launch(gpu, ordered_sum_shape(gpu, x.rows), squared_distances_kernel, x, u.data(), center_there.data(),
         distance_there.data());
  distance_there.read(distance);
}

void squared_norms(const Cuda& gpu, MatrixView<const float> x, std::span<double> norm) {
  check_squared_norms_shapes(x, norm);
  const CudaScratch<double> there(gpu, norm.size());
  launch(gpu, ordered_sum_shape(gpu, x.rows), squared_norms_kernel, x, there.data());
  there.read(norm);
}

}  // namespace sparsepush
