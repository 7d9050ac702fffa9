#include "tests/simt/access_kernels.h"

#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/quad.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

int blocks_of(std::size_t threads) { return static_cast<int>(divide_up(static_cast<std::int64_t>(threads), kThreads)); }

__global__ void copy_strided_kernel(std::span<const float> from, std::span<float> to, int first, int stride) {
  if (const std::int64_t i = grid_thread(); i < std::ssize(to)) to[i] = from[first + i * stride];
}
__global__ void add_first_kernel(std::span<const float> from, std::span<float> to) {
  if (const std::int64_t i = grid_thread(); i < std::ssize(to)) to[i] = from[0] + from[i];
}
__global__ void copy_quads_kernel(std::span<const float> from, std::span<float> to) {
  if (const std::int64_t i = grid_thread(); 4 * i < std::ssize(to)) store_quad(load_quad(from.data(), i), to.data(), i);
}
__global__ void copy_pairs_kernel(std::span<const double> from, std::span<double> to) {
  if (const std::int64_t i = grid_thread(); i < std::ssize(to)) to[i] = from[i];
}
__global__ void sum_columns_kernel(std::span<const float> rows, std::span<const std::int32_t> count,
                                   std::span<float> to) {
  const int own = count[threadIdx.x];
  float sum = 0;
  for (int row = 0; row < own; ++row) sum += rows[row * kWarp + threadIdx.x];
  to[threadIdx.x] = sum;
}
__global__ void subtract_sums_kernel(std::span<const float> from, std::span<float> to) {
  float sum = 0;
  for (std::int64_t i = threadIdx.x; i < std::ssize(to); i += blockDim.x) sum += from[i];
  for (std::int64_t i = threadIdx.x; i < std::ssize(to); i += blockDim.x) to[i] = from[i] - sum;
}
__global__ void use_other_memory_kernel(float* to) {
  __shared__ float fixed[kThreads];
  float* const dynamic = dynamic_shared<float>();
  float local[8];
  for (unsigned i = 0; i < 8; ++i) local[(i + threadIdx.x) % 8] = static_cast<float>(i);
  dynamic[threadIdx.x] = fixed[threadIdx.x] = local[threadIdx.x % 8];
  __syncthreads();
  if (threadIdx.x == 0) *to = dynamic[1] + fixed[2];
}
__global__ void add_atomically_kernel(std::span<const float> from, float* to) {
  if (const std::int64_t i = grid_thread(); i < std::ssize(from)) atomicAdd(to, from[i]);
}

}  // namespace

void copy_strided(const Cuda& gpu, std::span<const float> from, std::span<float> to, int first, int stride) {
  launch(gpu, {.blocks = blocks_of(to.size()), .threads = kThreads}, copy_strided_kernel, from, to, first, stride);
}
void add_first(const Cuda& gpu, std::span<const float> from, std::span<float> to) {
  launch(gpu, {.blocks = blocks_of(to.size()), .threads = kThreads}, add_first_kernel, from, to);
}
void copy_quads(const Cuda& gpu, std::span<const float> from, std::span<float> to) {
  launch(gpu, {.blocks = blocks_of(to.size() / 4), .threads = kThreads}, copy_quads_kernel, from, to);
}
void copy_pairs(const Cuda& gpu, std::span<const double> from, std::span<double> to) {
  launch(gpu, {.blocks = blocks_of(to.size()), .threads = kThreads}, copy_pairs_kernel, from, to);
}
void sum_columns(const Cuda& gpu, std::span<const float> rows, std::span<const std::int32_t> count,
                 std::span<float> to) {
  launch(gpu, {.threads = kWarp}, sum_columns_kernel, rows, count, to);
}
void subtract_sums(const Cuda& gpu, std::span<const float> from, std::span<float> to) {
  launch(gpu, {.threads = kThreads}, subtract_sums_kernel, from, to);
}
void use_other_memory(const Cuda& gpu, float* to) {
  launch(gpu, {.threads = kThreads, .shared_bytes = kThreads * sizeof(float)}, use_other_memory_kernel, to);
}
void add_atomically(const Cuda& gpu, std::span<const float> from, float* to) {
  launch(gpu, {.blocks = blocks_of(from.size()), .threads = kThreads}, add_atomically_kernel, from, to);
}

}  // namespace sparsepush
