#include "kernels/traffic.h"
#include "kernels/wire_size_kernel.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 128;

/// One block per message, in strides of the grid.
template <int kSizeThreads>
__global__ void add_wire_traffic_kernel(SizedMessages messages, std::span<const std::int64_t> copies,
                                        std::span<std::int64_t> bytes) {
  for (std::int64_t i = blockIdx.x; i < std::ssize(bytes); i += gridDim.x) {
    const std::int64_t size = wire_size<kSizeThreads>(messages, i);
    if (threadIdx.x == 0) bytes[i] += copies[i] * size;
  }
}

/// One thread per node, in strides of the grid.
__global__ void add_dense_traffic_kernel(std::span<const std::int64_t> copies, std::int64_t message_bytes,
                                         std::span<std::int64_t> bytes) {
  for (std::int64_t i = grid_thread(); i < std::ssize(bytes); i += grid_threads())
    bytes[i] += copies[i] * message_bytes;
}

}  // namespace

void add_wire_traffic(const Cuda& gpu, const WireTraffic<Cuda>& traffic) {
  check_traffic_shapes(traffic.copies, traffic.bytes);
  check_wire_sizes_shapes(traffic.messages, traffic.entries, traffic.bytes);
  const SizedMessages sized = sized_messages(traffic.layout, traffic.messages, traffic.entries);
  with_shape_for_sizes(gpu, sized, [&](const LaunchShape& shape, auto threads) {
    launch(gpu, shape, add_wire_traffic_kernel<threads()>, sized, traffic.copies, traffic.bytes);
  });
}

void add_dense_traffic(const Cuda& gpu, std::span<const std::int64_t> copies, std::int64_t message_bytes,
                       std::span<std::int64_t> bytes) {
  check_traffic_shapes(copies, bytes);
  launch(gpu, {.blocks = blocks_for(gpu, (std::ssize(bytes) + kThreads - 1) / kThreads), .threads = kThreads},
         add_dense_traffic_kernel, copies, message_bytes, bytes);
}

}  // namespace sparsepush
