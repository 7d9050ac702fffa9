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
#include "tests/simt/streams.h"

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

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorStreamCaptureUnsupported = 900
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToDevice = 3, cudaMemcpyDefault = 4 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum cudaDeviceAttr { cudaDevAttrMultiProcessorCount = 16, cudaDevAttrMaxSharedMemoryPerBlockOptin = 97 };
inline constexpr unsigned cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2;
using cudaStream_t = simt::Stream*;
using cudaEvent_t = simt::Event*;
using cudaGraph_t = std::shared_ptr<const simt::Graph>*;
using cudaGraphExec_t = std::shared_ptr<const simt::Graph>*;
using cudaGraphNode_t = struct CUgraphNode_st*;
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
    case cudaErrorInvalidValue:
      return "invalid argument (simulated)";
    default:
      return "not allowed while work is recorded (simulated)";
  }
}
/// Three, so that two or three processes of a launcher have one each and a fourth has to share. Which one memory and
/// streams are on is not simulated.
inline constexpr int kSimulatedGpus = 3;
inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = kSimulatedGpus;
  return cudaSuccess;
}
inline cudaError_t cudaSetDevice(int device) {
  return device >= 0 && device < kSimulatedGpus ? cudaSuccess : cudaErrorInvalidValue;
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value =
      attribute == cudaDevAttrMultiProcessorCount ? simt::multiprocessors : static_cast<int>(simt::most_shared_bytes);
  return cudaSuccess;
}
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  return cudaSuccess;
}
inline cudaError_t cudaDeviceGetPCIBusId(char* text, int size, int device) {
  std::snprintf(text, size, "0000:%02x:00.0", device);
  return cudaSuccess;
}
inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *free = *total = std::size_t{8} << 30;
  return cudaSuccess;
}
/// Aligned as on a GPU, and filled with 0xff.
inline cudaError_t cudaMalloc(void** p, std::size_t bytes) {
  if (simt::recording) return cudaErrorStreamCaptureUnsupported;
  *p = simt::allocate(bytes, simt::Memory::kDevice);
  return *p != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}
/// Waits for all streams first.
inline cudaError_t cudaFree(void* p) {
  if (simt::recording) return cudaErrorStreamCaptureUnsupported;
  simt::synchronize_all();
  simt::release(p);
  return cudaSuccess;
}
inline cudaError_t cudaMallocHost(void** p, std::size_t bytes) {
  if (simt::recording) return cudaErrorStreamCaptureUnsupported;
  *p = simt::allocate(bytes, simt::Memory::kPinned);
  return *p != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}
/// Waits for nobody, as nothing promises that it does.
inline cudaError_t cudaFreeHost(void* p) {
  if (simt::recording) return cudaErrorStreamCaptureUnsupported;
  simt::release(p);
  return cudaSuccess;
}
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                                   cudaStream_t stream) {
  const auto is = [](const void* p, simt::Memory memory) { return simt::memory_at(p) == memory; };
  using enum simt::Memory;
  if (kind != cudaMemcpyDefault && !is(to, kDevice)) return cudaErrorInvalidValue;
  if (kind != cudaMemcpyDefault && (kind == cudaMemcpyDeviceToDevice) != is(from, kDevice))
    return cudaErrorInvalidValue;
  if (simt::records(stream) && (is(to, kPageable) || is(from, kPageable))) return cudaErrorStreamCaptureUnsupported;
  simt::copy(stream, to, from, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMemsetAsync(void* p, int byte, std::size_t bytes, cudaStream_t stream) {
  if (simt::memory_at(p) != simt::Memory::kDevice) return cudaErrorInvalidValue;
  simt::fill(stream, p, byte, bytes);
  return cudaSuccess;
}
inline cudaError_t cudaMallocAsync(void** p, std::size_t bytes, cudaStream_t stream) {
  if (simt::records(stream)) throw simt::Error("simt: memory that recorded work would allocate each time");
  *p = simt::allocate(bytes, simt::Memory::kDevice);
  return *p == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}
inline cudaError_t cudaFreeAsync(void* p, cudaStream_t stream) {
  simt::enqueue(stream, [p] { simt::release(p); });
  return cudaSuccess;
}
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  if (flags != cudaStreamNonBlocking) throw simt::Error("simt: streams that the default stream waits for");
  *stream = new simt::Stream;
  return cudaSuccess;
}
/// Returns at once on a GPU too, where the work that is left goes on.
inline cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
inline cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (simt::recording) return cudaErrorStreamCaptureUnsupported;
  stream->synchronize();
  return cudaSuccess;
}

inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  if (flags != cudaEventDisableTiming) throw simt::Error("simt: events that tell the time");
  *event = new simt::Event;
  return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (simt::records(stream)) throw simt::Error("simt: an event within recorded work");
  stream->record(*event);
  return cudaSuccess;
}
inline cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned /*flags*/) {
  if (simt::records(stream)) throw simt::Error("simt: recorded work waits for an event");
  stream->wait_for(*event);
  return cudaSuccess;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (simt::recording) return cudaErrorStreamCaptureUnsupported;
  simt::synchronize(*event);
  return cudaSuccess;
}

inline cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (simt::recording) return cudaErrorStreamCaptureUnsupported;
  simt::recording = std::make_unique<simt::Graph>();
  simt::recording->recorded_from = stream;
  return cudaSuccess;
}
inline cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = nullptr;
  if (!simt::records(stream)) return cudaErrorStreamCaptureUnsupported;
  *graph = new std::shared_ptr<const simt::Graph>(std::move(simt::recording));
  return cudaSuccess;
}
/// Tells how many nodes a graph has.
inline cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  if (nodes != nullptr) throw simt::Error("simt: nodes of graphs are not simulated");
  *count = (*graph)->work.size();
  return cudaSuccess;
}
inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new std::shared_ptr<const simt::Graph>(*graph);
  return cudaSuccess;
}
inline cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (simt::records(stream)) throw simt::Error("simt: a graph within recorded work");
  simt::launch(*executable, stream);
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
  simt::enqueue(config->stream, [=] { simt::run(shape, [&] { kernel(args...); }); });
  return cudaSuccess;
}
