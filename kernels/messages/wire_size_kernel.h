// The size of a message on a GPU, for .cu files only.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cub/block/block_reduce.cuh>
#include <span>
#include <type_traits>

#include "kernels/backend/cuda_launch.h"
#include "kernels/messages/messages.h"
#include "kernels/messages/wire_size.h"
#include "kernels/nodes/cuda_layout.h"
#include "kernels/nodes/unpadded_index.h"

namespace sparsepush {

/// Messages and what their sizes depend on.
struct SizedMessages {
  MatrixView<const std::int32_t> position;  ///< [slots, entries]
  std::span<const std::int64_t> entries;    ///< [nodes]
  std::span<const Padding> paddings;        ///< of the row
  std::int64_t bitmap_bytes;
};

inline SizedMessages sized_messages(const CudaLayout& layout, const ConstMessages& messages,
                                    std::span<const std::int64_t> entries) {
  return {messages.position, entries, layout.paddings(), divide_up(layout.host().params, 8)};
}

/// Adds up sizes over a block.
template <int kThreads>
using SizeSum = cub::BlockReduce<unsigned, kThreads>;

/// Calls body(shape, threads) with a block per message, whose threads are a constant too: some entries a thread where
/// messages are long, few threads where they are short.
template <int kThreads = 64, class Body>
void with_shape_for_sizes(const Cuda& gpu, const SizedMessages& messages, const Body& body) {
  constexpr int kMostThreads = 512, kEntriesPerThread = 4;
  if constexpr (kThreads < kMostThreads)
    if (kThreads * kEntriesPerThread < messages.position.cols)
      return with_shape_for_sizes<2 * kThreads>(gpu, messages, body);
  const LaunchShape shape{.blocks = blocks_for(gpu, std::ssize(messages.entries), kThreadsPerMultiprocessor / kThreads),
                          .threads = kThreads,
                          .shared_bytes = sizeof(typename SizeSum<kThreads>::TempStorage)};
  body(shape, std::integral_constant<int, kThreads>());
}

/// Returns the size of message i in the first thread of a block that calls it; threads take gaps in turn. The launch
/// gives the sum's memory.
template <int kThreads>
__device__ std::int64_t wire_size(const SizedMessages& messages, std::int64_t i) {
  const std::int32_t* position = messages.position.row(i);
  const std::int64_t entries = messages.entries[i];
  unsigned bytes = 0;  // those of all gaps fit: there are fewer than 2^31 gaps, and fewer than 2^24 of more than a byte
  for (std::int64_t k = threadIdx.x; k < entries; k += blockDim.x) {
    const std::int64_t previous = k == 0 ? -1 : unpadded_index(messages.paddings, position[k - 1]);
    const std::int64_t gap = unpadded_index(messages.paddings, position[k]) - previous - 1;
    bytes += leb128_bytes(static_cast<std::uint32_t>(gap));
  }
  const std::int64_t gap_bytes =
      SizeSum<kThreads>(*dynamic_shared<typename SizeSum<kThreads>::TempStorage>()).Sum(bytes);
  __syncthreads();  // the next sum's memory is the same
  return kWireHeaderBytes + static_cast<std::int64_t>(sizeof(float)) * entries +
         std::min(gap_bytes, messages.bitmap_bytes);
}

}  // namespace sparsepush
