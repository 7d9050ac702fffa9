// CUDA errors and launches, for .cu files only.
#pragma once
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "kernels/backend/backend.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/dynamic_shared.h"

namespace sparsepush {

/// Throws std::runtime_error that names the call.
inline void check_cuda(cudaError_t status, const char* call) {
  if (status != cudaSuccess) throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(status));
}

inline cudaStream_t stream_of(const Cuda& gpu) { return static_cast<cudaStream_t>(gpu.stream()); }

constexpr int kWarp = 32;  // threads
constexpr int kThreadsPerMultiprocessor = 2048;

struct LaunchShape {
  int blocks = 1;
  int threads = 1;  ///< a block
  std::size_t shared_bytes = 0;
};

/// Returns this thread's number in the grid; the second, how many threads the grid has.
__device__ inline std::int64_t grid_thread() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t grid_threads() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

/// Returns as many blocks as there are items, but no more than fill the GPU: kernels take items in strides of the grid.
inline int blocks_for(const Cuda& gpu, std::int64_t items, int blocks_per_multiprocessor = 8) {
  const std::int64_t full = static_cast<std::int64_t>(gpu.multiprocessors()) * blocks_per_multiprocessor;
  return static_cast<int>(std::clamp<std::int64_t>(items, 1, full));
}

/// Returns a shape with a thread per item, `threads` a block; no more than fill the GPU.
inline LaunchShape thread_each(const Cuda& gpu, std::int64_t items, int threads) {
  return {.blocks = blocks_for(gpu, divide_up(items, threads), kThreadsPerMultiprocessor / threads),
          .threads = threads};
}

/// Launches kernel(args...) on the backend's stream. A function call, so that it is C++ too. Kernels that are given
/// much dynamic shared memory may have no static one.
template <class... Params, class... Args>
void launch(const Cuda& gpu, const LaunchShape& shape, void (*kernel)(Params...), const Args&... args) {
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(shape.blocks));
  config.blockDim = dim3(static_cast<unsigned>(shape.threads));
  config.dynamicSmemBytes = shape.shared_bytes;
  config.stream = stream_of(gpu);
  constexpr std::size_t kWithoutAsking = 48 * 1024;
  if (shape.shared_bytes > kWithoutAsking)  // asks for the most, because other threads may launch the kernel too
    check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(gpu.most_shared_bytes())),
               "cudaFuncSetAttribute");
  check_cuda(cudaLaunchKernelEx(&config, kernel, static_cast<Params>(args)...), "kernel launch");
}

}  // namespace sparsepush
