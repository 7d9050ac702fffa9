// Stands in for the CUDA runtime where kernels/*.cu are compiled as C++. It has what our kernels use and nothing else.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "tests/simt/simt.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
// GCC drops the section of a template's variable, and so the simulator could not poison it.
#define __shared__                                                                                         \
  static_assert(!simt::is_of_template(__PRETTY_FUNCTION__), "simt: no static shared memory in templates"); \
  [[gnu::section("simt_shared")]] static

inline const dim3& threadIdx = simt::place.thread;
inline const dim3& blockIdx = simt::place.block;
inline const dim3& blockDim = simt::place.block_shape;
inline const dim3& gridDim = simt::place.grid;

inline void __syncthreads() { simt::wait_for_block(); }
inline void __syncwarp(unsigned mask = ~0u) { simt::wait_for_warp(mask); }

template <class T>
T __shfl_sync(unsigned mask, T value, int source) {
  return simt::exchange(mask, value, [source](unsigned) { return static_cast<unsigned>(source) % simt::kWarp; });
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits) {
  return simt::exchange(mask, value, [bits](unsigned lane) { return lane ^ static_cast<unsigned>(bits); });
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance) {
  return simt::exchange(mask, value, [distance](unsigned lane) { return lane < distance ? lane : lane - distance; });
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance) {
  return simt::exchange(mask, value,
                        [distance](unsigned lane) { return lane + distance < simt::kWarp ? lane + distance : lane; });
}
inline unsigned __ballot_sync(unsigned mask, bool vote) {
  unsigned ballot = 0;
  simt::lane_value(simt::lane()) = vote;
  simt::wait_for_warp(mask);
  for (unsigned l = 0; l < simt::warp_threads(); ++l) ballot |= static_cast<unsigned>(simt::lane_value(l)) << l;
  simt::wait_for_warp(mask);
  return ballot;
}
inline bool __any_sync(unsigned mask, bool vote) { return __ballot_sync(mask, vote) != 0; }

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __clz(unsigned x) { return std::countl_zero(x); }

inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }

// Threads take turns at barriers only, so that a plain read and write is atomic. For the types that CUDA has them for.
template <class T>
requires simt::is_one_of<T, int, unsigned, unsigned long long, float, double> T atomicAdd(T* p, T v) {
  return std::exchange(*p, *p + v);
}
template <class T>
requires simt::is_one_of<T, int, unsigned, long long, unsigned long long> T atomicMin(T* p, T v) {
  return std::exchange(*p, std::min(*p, v));
}
template <class T>
requires simt::is_one_of<T, int, unsigned, long long, unsigned long long> T atomicMax(T* p, T v) {
  return std::exchange(*p, std::max(*p, v));
}

struct alignas(16) float4 {
  float x, y, z, w;
};

enum cudaError_t { cudaSuccess = 0, cudaErrorMemoryAllocation = 2, cudaErrorStreamCaptureUnsupported = 900 };
enum cudaMemcpyKind { cudaMemcpyDeviceToDevice = 3, cudaMemcpyDefault = 4 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16, cudaDevAttrMaxSharedMemoryPerBlockOptin = 97 };
using cudaStream_t = struct CUstream_st*;
using cudaGraph_t = simt::Graph*;
using cudaGraphExec_t = simt::Graph*;
struct cudaDeviceProp {
  char name[256] = "simulated GPU";
};
struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  std::size_t dynamicSmemBytes = 0;
  cudaStream_t stream = nullptr;
};

inline const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory (simulated)";
    default:
      return "not allowed while work is recorded (simulated)";
  }
}
inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int) { return cudaSuccess; }
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value =
      attribute == cudaDevAttrMultiProcessorCount ? simt::multiprocessors : static_cast<int>(simt::most_shared_bytes);
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  return cudaSuccess;
}
inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *free = *total = std::size_t{8} << 30;
  return cudaSuccess;
}
/// Aligned as on a GPU, and filled with 0xff.
inline cudaError_t cudaMalloc(void** p, std::size_t bytes) {
  if (simt::recording) return cudaErrorStreamCaptureUnsupported;
  if (posix_memalign(p, 256, bytes) != 0) return cudaErrorMemoryAllocation;
  std::memset(*p, 0xff, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaFree(void* p) {
  std::free(p);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t) {
  simt::enqueue([=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* p, int byte, std::size_t bytes, cudaStream_t) {
  simt::enqueue([=] { std::memset(p, byte, bytes); });
  return cudaSuccess;
}
/// Recorded memory belongs to the record, and is filled with 0xff each time.
inline cudaError_t cudaMallocAsync(void** p, std::size_t bytes, cudaStream_t stream) {
  if (!simt::recording) return cudaMalloc(p, bytes);
  if (posix_memalign(p, 256, bytes) != 0) return cudaErrorMemoryAllocation;
  simt::recording->memory.emplace_back(*p, std::free);
  return cudaMemsetAsync(*p, 0xff, bytes, stream);
}
inline cudaError_t cudaFreeAsync(void* p, cudaStream_t) { return simt::recording ? cudaSuccess : cudaFree(p); }
inline cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  *stream = nullptr;
  return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t) {
  return simt::recording ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

inline cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
  if (simt::recording) return cudaErrorStreamCaptureUnsupported;
  simt::recording = std::make_unique<simt::Graph>();
  return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  *graph = simt::recording.release();
  return *graph != nullptr ? cudaSuccess : cudaErrorStreamCaptureUnsupported;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new simt::Graph(*graph);
  return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t) {
  for (const auto& work : executable->work) simt::enqueue(work);
  return cudaSuccess;
}
inline cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) { return cudaGraphDestroy(executable); }

template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel, cudaFuncAttribute, int) {
  return cudaSuccess;  // simt::run checks the bytes
}
template <class... Params, class... Args>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Params...), Args... args) {
  const simt::Launch shape{
      .grid = config->gridDim, .block = config->blockDim, .shared_bytes = config->dynamicSmemBytes};
  simt::enqueue([=] { simt::run(shape, [&] { kernel(args...); }); });
  return cudaSuccess;
}
