#include <algorithm>

#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/mixing/push_sum_mix.h"

namespace sparsepush {
namespace {

constexpr int kFewestThreads = 64, kMostThreads = 256;  // few where messages are short, so that more blocks are at work
constexpr int kBlocksTogether = 5;                  // of 256 threads: as many as registers suffice for without spills
constexpr int kMostEdgesAtOnce = kMostThreads / 2;  // one thread searches one end of one message's part
constexpr std::int64_t kEntriesPerPart = 2048;      // of a message of full length: eight a thread hide the barriers
constexpr std::int64_t kFewestPerPart = 192;        // where many messages are mixed: hardly ever two a thread
constexpr unsigned kAhead = 4;                      // steps whose entries are on their way while others are added
constexpr std::int64_t kWorkPerPart = 32 * kFewestPerPart;  // entries of all messages, where parts become smaller

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
  return clamp_value(work / kWorkPerPart, parts.few, parts.most);
}

/// The entries [begin, end) of a slot's message, which fall into a part of the row, and their weight.
struct Cut {
  std::int32_t slot;
  unsigned begin, end;
  float weight;
};

/// Number of positions below `limit` among the first `entries` of an ascending list.
__device__ unsigned positions_below(const std::int32_t* position, std::int64_t entries, std::int64_t limit) {
  return count_before(static_cast<unsigned>(entries), [&](unsigned i) { return position[i] < limit; });
}

/// What a thread adds in a step; nothing if the position is negative.
struct Entry {
  std::int32_t position = -1;
  float value = 0;
};

/// Where a block is in the messages cut[0] to cut[edges - 1]. A message takes steps of an entry a thread, at least one.
class Steps {
 public:
  __device__ Steps(const Cut* cut, unsigned edges) : cut_(cut), edges_(edges), begin_(cut[0].begin) {}

  __device__ bool left() const { return edge_ != edges_; }
  __device__ float weight() const { return cut_[edge_].weight; }
  /// Returns whether it was the message's last step.
  __device__ bool next() {
    begin_ += blockDim.x;
    if (begin_ < cut_[edge_].end) return false;
    if (++edge_ != edges_) begin_ = cut_[edge_].begin;
    return true;
  }
  /// The thread's entry of the next step.
  __device__ Entry take(const ConstMessages& messages) {
    Entry entry;
    if (!left()) return entry;
    const std::int32_t slot = cut_[edge_].slot;
    if (const unsigned i = begin_ + threadIdx.x; i < cut_[edge_].end)
      entry = {messages.position.row(slot)[i], messages.value.row(slot)[i]};
    next();
    return entry;
  }

 private:
  const Cut* cut_;
  unsigned edges_, edge_ = 0, begin_;
};

/// Adds the messages to the node's row one after the other: positions within a message are unique, and a barrier keeps
/// the order of messages. The middle of a star hears everybody, and would wait for memory behind every barrier: entries
/// are loaded some steps ahead, so that a step takes only as long as reading and writing x, which lies in the first
/// level of cache if the part is narrow.
__device__ void add_messages(float* row, const ConstMessages& messages, const Cut* cut, unsigned edges) {
  Steps loads(cut, edges), adds(cut, edges);
  Entry ahead[kAhead];
  for (unsigned i = 0; i < kAhead; ++i) ahead[i] = loads.take(messages);
  while (adds.left()) {
    for (unsigned i = 0; i < kAhead; ++i) {  // unrolled: entries stay in registers
      if (!adds.left()) break;
      const Entry entry = ahead[i];
      const float x = entry.position >= 0 ? row[entry.position] : 0;  // on its way while another entry is looked for
      ahead[i] = loads.take(messages);
      if (entry.position >= 0) row[entry.position] = __fmaf_rn(adds.weight(), entry.value, x);
      if (adds.next()) __syncthreads();
    }
  }
}

/// One block per (part of the row, node), in strides of the grid; nodes with few in-neighbours have no work for the
/// last parts, which therefore come last for all nodes. All messages that the node mixes, its own first, are cut to the
/// part by binary searches side by side, some edges at a time, and then added.
__global__ void __launch_bounds__(kMostThreads, kBlocksTogether) push_sum_mix_kernel(PushSumMix mix, Parts most_parts) {
  __shared__ Cut cut[kMostEdgesAtOnce];
  const std::int64_t edges_at_once = blockDim.x / 2;
  for (std::int64_t item = blockIdx.x; item < mix.x.rows * most_parts.most; item += gridDim.x) {
    const std::int64_t node = item % mix.x.rows, part = item / mix.x.rows;
    const std::int64_t parts = parts_of_node(mix, node, most_parts);
    if (part >= parts) continue;
    const std::int64_t first = part * mix.x.cols / parts, limit = (part + 1) * mix.x.cols / parts;
    const std::int64_t edges_begin = mix.edges.begin[node] - 1, edges_end = mix.edges.begin[node + 1];  // -1: itself
    for (std::int64_t chunk = edges_begin; chunk < edges_end; chunk += edges_at_once) {
      const auto edges = static_cast<unsigned>(std::min(edges_at_once, edges_end - chunk));
      if (threadIdx.x < 2 * edges) {
        const std::int64_t e = chunk + threadIdx.x / 2, slot = e == edges_begin ? node : mix.edges.slot[e];
        const bool is_end = threadIdx.x % 2;
        Cut& mine = cut[threadIdx.x / 2];
        (is_end ? mine.end : mine.begin) =
            positions_below(mix.messages.position.row(slot), mix.entries[slot], is_end ? limit : first);
        mine.slot = static_cast<std::int32_t>(slot);  // by two threads, with the same value
        mine.weight = e == edges_begin ? mix.edges.self_weight[node] : mix.edges.weight[e];
      }
      __syncthreads();
      add_messages(mix.x.row(node), mix.messages, cut, edges);
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
