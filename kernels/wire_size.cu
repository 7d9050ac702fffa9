#include "kernels/wire_size_kernel.h"

namespace sparsepush {
namespace {

/// One block per message, in strides of the grid.
__global__ void wire_sizes_kernel(SizedMessages messages, std::span<std::int64_t> size) {
  __shared__ unsigned warp_sums[kMostSizeThreads / kWarpThreads];
  for (std::int64_t i = blockIdx.x; i < std::ssize(size); i += gridDim.x) {
    const std::int64_t bytes = wire_size(messages, i, warp_sums);
    if (threadIdx.x == 0) size[i] = bytes;
  }
}

}  // namespace

void wire_sizes(const Cuda& gpu, const CudaLayout& layout, const ConstMessages& messages,
                std::span<const std::int64_t> entries, std::span<std::int64_t> size) {
  check_wire_sizes_shapes(messages, entries, size);
  const SizedMessages sized = sized_messages(layout, messages, entries);
  launch(gpu, shape_for_sizes(gpu, sized), wire_sizes_kernel, sized, size);
}

}  // namespace sparsepush
