// The size of a message on a GPU, shared by the ops that need it; for .cu files only.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>

#include "kernels/block_scan.h"
#include "kernels/cuda_launch.h"
#include "kernels/cuda_layout.h"
#include "kernels/messages.h"
#include "kernels/wire_size.h"

namespace sparsepush {

constexpr int kFewestSizeThreads = 64, kMostSizeThreads = 512;

/// Messages and what their sizes depend on.
struct SizedMessages {
  MatrixView<const std::int32_t> position;  ///< [slots, entries]
  std::span<const std::int64_t> entries;    ///< [nodes]
  std::span<const PackedRun> runs;          ///< of the row
  std::int64_t bitmap_bytes;
};

inline SizedMessages sized_messages(const CudaLayout& layout, const ConstMessages& messages,
                                    std::span<const std::int64_t> entries) {
  return {messages.position, entries, layout.runs(), (layout.host().params + 7) / 8};
}

/// A block per message: with some entries a thread where messages are long, with few threads where they are short.
inline LaunchShape shape_for_sizes(const Cuda& gpu, const SizedMessages& messages) {
  constexpr int kEntriesPerThread = 4, kThreadsPerMultiprocessor = 2048;
  int threads = kFewestSizeThreads;
  while (threads < kMostSizeThreads && threads * kEntriesPerThread < messages.position.cols) threads *= 2;
  return {.blocks = blocks_for(gpu, std::ssize(messages.entries), kThreadsPerMultiprocessor / threads),
          .threads = threads};
}

/// The index of a position, not counting padding: a binary search for the run that it lies in.
__device__ inline std::int64_t unpadded_index(std::span<const PackedRun> runs, std::int64_t position) {
  std::size_t low = 0, high = runs.size() - 1;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (runs[middle].end <= position)
      low = middle + 1;
    else
      high = middle;
  }
  return position - runs[low].padding;
}

/// `wire_sizes` of message i, in every thread of a block that calls it; threads take gaps in turn.
/// warp_sums: shared, one a warp; free again on return.
__device__ inline std::int64_t wire_size(const SizedMessages& messages, std::int64_t i, unsigned* warp_sums) {
  const std::int32_t* position = messages.position.row(i);
  const std::int64_t entries = messages.entries[i];
  unsigned bytes = 0;  // those of all gaps fit: there are fewer than 2^31 gaps, and fewer than 2^24 of more than a byte
  for (std::int64_t k = threadIdx.x; k < entries; k += blockDim.x) {
    const std::int64_t previous = k == 0 ? -1 : unpadded_index(messages.runs, position[k - 1]);
    const std::int64_t gap = unpadded_index(messages.runs, position[k]) - previous - 1;
    bytes += leb128_bytes(static_cast<std::uint32_t>(gap));
  }
  const std::int64_t gap_bytes = block_scan(bytes, warp_sums).total;
  return kWireHeaderBytes + static_cast<std::int64_t>(sizeof(float)) * entries +
         std::min(gap_bytes, messages.bitmap_bytes);
}

}  // namespace sparsepush
