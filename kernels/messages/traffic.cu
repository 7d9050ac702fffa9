#include "kernels/messages/traffic.h"
#include "kernels/messages/wire_size_kernel.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 128;

/// One thread per node, in strides of the grid.
__global__ void add_traffic_kernel(Traffic traffic) {
  for (std::int64_t i = grid_thread(); i < traffic.sent.cols; i += grid_threads())
    add_sent(traffic, i, bytes_of(traffic, i).wire);
}

/// One block per message, in strides of the grid.
template <int kSizeThreads>
__global__ void add_sized_traffic_kernel(Traffic traffic, SizedMessages messages) {
  for (std::int64_t i = blockIdx.x; i < traffic.sent.cols; i += gridDim.x) {
    const std::int64_t size = wire_size<kSizeThreads>(messages, i);
    if (threadIdx.x == 0) add_sent(traffic, i, size + bytes_of(traffic, i).wire);
  }
}

}  // namespace

void add_traffic(const Cuda& gpu, const Traffic& traffic) {
  check_traffic_shapes(traffic);
  launch(gpu, thread_each(gpu, traffic.sent.cols, kThreads), add_traffic_kernel, traffic);
}

void add_traffic(const Cuda& gpu, const Traffic& traffic, const SizedMessagesOf<Cuda>& messages) {
  check_traffic_shapes(traffic, messages.messages, messages.entries);
  const SizedMessages sized = sized_messages(messages.layout, messages.messages, messages.entries);
  with_shape_for_sizes(gpu, sized, [&](const LaunchShape& shape, auto threads) {
    launch(gpu, shape, add_sized_traffic_kernel<threads()>, traffic, sized);
  });
}

}  // namespace sparsepush
