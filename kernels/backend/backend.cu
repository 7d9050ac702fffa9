#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "kernels/backend/backend.h"
#include "kernels/backend/bus_id.h"
#include "kernels/backend/cuda_launch.h"

namespace sparsepush {
namespace {

cudaStream_t create_stream(int device) {
  check_cuda(cudaSetDevice(device), ("GPU " + std::to_string(device) + ": cudaSetDevice").c_str());
  cudaStream_t stream;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  return stream;
}

}  // namespace

int Cuda::count() {
  int gpus = 0;
  return cudaGetDeviceCount(&gpus) == cudaSuccess ? gpus : 0;
}

bool Cuda::is_built_in() { return true; }

std::string bus_id(int device) {
  char text[32] = {};
  check_cuda(cudaDeviceGetPCIBusId(text, sizeof text, device), "cudaDeviceGetPCIBusId");
  return text;
}

Cuda::Cuda(int device) : stream_(create_stream(device)), upload_stream_(create_stream(device)), device_(device) {
  check_cuda(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, device),
             "cudaDeviceGetAttribute");
  check_cuda(cudaDeviceGetAttribute(&most_shared_bytes_, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
             "cudaDeviceGetAttribute");
}
std::string Cuda::name() const {
  cudaDeviceProp properties{};
  check_cuda(cudaGetDeviceProperties(&properties, device_), "cudaGetDeviceProperties");
  return properties.name;
}
std::int64_t Cuda::free_bytes() const {
  std::size_t free = 0, total = 0;
  check_cuda(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return static_cast<std::int64_t>(free);
}
Cuda::~Cuda() {
  cudaStreamDestroy(static_cast<cudaStream_t>(upload_stream_));
  cudaStreamDestroy(stream_of(*this));
}
void Cuda::synchronize() const { check_cuda(cudaStreamSynchronize(stream_of(*this)), "cudaStreamSynchronize"); }

void* allocate(const Cuda& gpu, std::size_t bytes) {
  void* p = nullptr;
  if (cudaMalloc(&p, bytes > 0 ? bytes : 1) != cudaSuccess) throw std::bad_alloc();
  clear(gpu, p, bytes);
  return p;
}
void release(const Cuda&, void* p) noexcept { cudaFree(p); }
void copy(const Cuda& gpu, void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_of(gpu)), "cudaMemcpyAsync");
  gpu.synchronize();
}
void copy_within(const Cuda& gpu, void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_of(gpu)), "cudaMemcpyAsync");
}
void* allocate_pinned(const Cuda&, std::size_t bytes) {
  void* p = nullptr;
  if (cudaMallocHost(&p, std::max<std::size_t>(bytes, 1)) != cudaSuccess) throw std::bad_alloc();
  std::memset(p, 0, bytes);
  return p;
}
void release_pinned(void* p) noexcept { cudaFreeHost(p); }
void upload(const Cuda& gpu, void* to, const void* pinned, std::size_t bytes) {
  if (bytes == 0) return;
  check_cuda(cudaMemcpyAsync(to, pinned, bytes, cudaMemcpyHostToDevice, static_cast<cudaStream_t>(gpu.upload_stream())),
             "cudaMemcpyAsync");
}
void clear(const Cuda& gpu, void* p, std::size_t bytes) {
  if (bytes == 0) return;
  check_cuda(cudaMemsetAsync(p, 0, bytes, stream_of(gpu)), "cudaMemsetAsync");
}

}  // namespace sparsepush
