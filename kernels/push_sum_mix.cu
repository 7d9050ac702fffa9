#include <algorithm>

#include "kernels/cuda_launch.h"
#include "kernels/push_sum_mix.h"

namespace sparsepush {
namespace {

constexpr int kFewestThreads = 64, kMostThreads = 256;  // few where messages are short, so that more blocks are at work
constexpr int kMostEdgesAtOnce = kMostThreads / 2;      // one thread searches one end of one message's part
constexpr std::int64_t kEntriesPerPart = 2048;          // of a message of full length: eight a thread hide the barriers
constexpr std::int64_t kFewestPerPart = 256;            // where many messages are mixed: one a thread
constexpr std::int64_t kWorkPerPart = 4 * kEntriesPerPart;  // entries of all messages, where parts become smaller

/// Into how many parts rows are cut: few of a node with few in-neighbours, at most `most` of any.
struct Parts {
  std::int64_t few, most;
};

Parts parts_for(std::int64_t entries) {
  const auto parts_of = [entries](std::int64_t each) { return std::max<std::int64_t>(1, (entries + each / 2) / each); };
  return {parts_of(kEntriesPerPart), parts_of(kFewestPerPart)};
}

/// A node with many in-neighbours shares its work among more blocks.
__device__ std::int64_t parts_of_node(const PushSumMix& mix, std::int64_t node, const Parts& parts) {
  const std::int64_t messages = mix.edges.begin[node + 1] - mix.edges.begin[node];  // besides its own
  const std::int64_t work = messages * mix.messages.position.cols;
  return std::clamp(work / kWorkPerPart, parts.few, parts.most);
}

/// Entries [begin, end) of one message, which fall into a part of the row.
struct Cut {
  std::int64_t begin, end;
};

/// Number of positions below `limit` among the first `entries` of an ascending list.
__device__ std::int64_t positions_below(const std::int32_t* position, std::int64_t entries, std::int64_t limit) {
  std::int64_t low = 0, high = entries;
  while (low < high) {
    const std::int64_t middle = (low + high) / 2;
    if (position[middle] < limit)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/// One block per (part of the row, node), in strides of the grid; nodes with few in-neighbours have no work for the
/// last parts, which therefore come last for all nodes. All messages that the node mixes, its own first, are cut to the
/// part by binary searches side by side, some edges at a time. Then the block adds one message after the other, a
/// thread per entry; positions within a message are unique, and a barrier keeps the order of messages.
__global__ void push_sum_mix_kernel(PushSumMix mix, Parts most_parts) {
  __shared__ Cut cut[kMostEdgesAtOnce];
  const std::int64_t edges_at_once = blockDim.x / 2;
  for (std::int64_t item = blockIdx.x; item < mix.x.rows * most_parts.most; item += gridDim.x) {
    const std::int64_t node = item % mix.x.rows, part = item / mix.x.rows;
    const std::int64_t parts = parts_of_node(mix, node, most_parts);
    if (part >= parts) continue;
    const std::int64_t first = part * mix.x.cols / parts, limit = (part + 1) * mix.x.cols / parts;
    const std::int64_t edges_begin = mix.edges.begin[node] - 1, edges_end = mix.edges.begin[node + 1];  // -1: itself
    const auto slot_of = [&](std::int64_t e) { return e == edges_begin ? node : mix.edges.slot[e]; };
    for (std::int64_t chunk = edges_begin; chunk < edges_end; chunk += edges_at_once) {
      const auto edges = static_cast<unsigned>(std::min(edges_at_once, edges_end - chunk));
      if (threadIdx.x < 2 * edges) {
        const std::int64_t slot = slot_of(chunk + threadIdx.x / 2);
        const bool is_end = threadIdx.x % 2;
        const std::int64_t found =
            positions_below(mix.messages.position.row(slot), mix.entries[slot], is_end ? limit : first);
        (is_end ? cut[threadIdx.x / 2].end : cut[threadIdx.x / 2].begin) = found;
      }
      __syncthreads();
      for (unsigned i = 0; i < edges; ++i) {
        const std::int64_t e = chunk + i, slot = slot_of(e);
        const float weight = e == edges_begin ? mix.edges.self_weight[node] : mix.edges.weight[e];
        const std::int32_t* position = mix.messages.position.row(slot);
        const float* value = mix.messages.value.row(slot);
        for (std::int64_t k = cut[i].begin + threadIdx.x; k < cut[i].end; k += blockDim.x) {
          float& x = mix.x.row(node)[position[k]];
          x = __fmaf_rn(weight, value[k], x);
        }
        __syncthreads();
      }
    }
  }
}

}  // namespace

void push_sum_mix(const Cuda& gpu, const PushSumMix& mix) {
  check_push_sum_mix_shapes(mix);
  constexpr int kEntriesPerThread = 4, kThreadsPerMultiprocessor = 2048;
  const Parts parts = parts_for(mix.messages.position.cols);
  int threads = kFewestThreads;
  while (threads < kMostThreads && threads * kEntriesPerThread < mix.messages.position.cols) threads *= 2;
  launch(gpu,
         {.blocks = blocks_for(gpu, mix.x.rows * parts.most, kThreadsPerMultiprocessor / threads), .threads = threads},
         push_sum_mix_kernel, mix, parts);
}

}  // namespace sparsepush
