#include "kernels/messages/wire_size_kernel.h"

namespace sparsepush {
namespace {

/// One block per message, in strides of the grid.
template <int kThreads>
__global__ void wire_sizes_kernel(SizedMessages messages, std::span<std::int64_t> size) {
  for (std::int64_t i = blockIdx.x; i < std::ssize(size); i += gridDim.x) {
    const std::int64_t bytes = wire_size<kThreads>(messages, i);
    if (threadIdx.x == 0) size[i] = bytes;
  }
}

}  // namespace

void wire_sizes(const Cuda& gpu, const CudaLayout& layout, const ConstMessages& messages,
                std::span<const std::int64_t> entries, std::span<std::int64_t> size) {
  check_wire_sizes_shapes(messages, entries, size);
  const SizedMessages sized = sized_messages(layout, messages, entries);
  with_shape_for_sizes(gpu, sized, [&](const LaunchShape& shape, auto threads) {
    launch(gpu, shape, wire_sizes_kernel<threads()>, sized, size);
  });
}

}  // namespace sparsepush
