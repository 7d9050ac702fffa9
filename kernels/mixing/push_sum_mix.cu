#include <algorithm>

#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/mixing/push_sum_mix.h"

namespace sparsepush {
namespace {

constexpr int kFewestThreads = 64, kMostThreads = 256;  // of a block: few for short messages, so that more are at work
constexpr int kBlocksTogether = 5;                  // on a multiprocessor: registers suffice for no more without spills
constexpr int kMostEdgesAtOnce = kMostThreads / 2;  // a thread searches for one of both ends of a message's range
constexpr unsigned kAhead = 4;                      // steps whose entries are on their way while others are added

// Entries of one message in a tile of the row. Eight a thread hide the barriers between few messages; with many
// messages narrow tiles are better, in which a thread has hardly ever two.
constexpr std::int64_t kTileEntries = 2048, kFewestTileEntries = 192;
constexpr std::int64_t kTileWork = 32 * kFewestTileEntries;  // of all messages, from which on tiles are narrower

/// Into how many tiles rows are divided: `few` where a node has few in-neighbours, `most` at most.
struct Tiles {
  std::int64_t few, most;
};

Tiles tiles_for(std::int64_t entries) {
  const auto tiles_of = [entries](std::int64_t each) { return std::max<std::int64_t>(1, (entries + each / 2) / each); };
  return {tiles_of(kTileEntries), tiles_of(kFewestTileEntries)};
}

/// A node with many in-neighbours shares its work among more blocks; one that is not mixed has none.
__device__ std::int64_t tiles_of_node(const PushSumMix& mix, std::int64_t node, const Tiles& tiles) {
  if (!is_mixed(mix.edges, mix.mixed, node)) return 0;
  const std::int64_t messages = mix.edges.begin[node + 1] - mix.edges.begin[node];  // besides its own
  const std::int64_t work = messages * mix.messages.position.cols;
  return clamp_value(work / kTileWork, tiles.few, tiles.most);
}

/// The entries [begin, end) of a slot's message, which fall into a tile of the row, and their weight.
struct EntryRange {
  std::int32_t slot;
  unsigned begin, end;
  float weight;
};

/// Number of positions below `limit` among the first `entries` of an ascending list.
__device__ unsigned positions_below(const std::int32_t* position, std::int64_t entries, std::int64_t limit) {
  return count_before(static_cast<unsigned>(entries), [&](unsigned i) { return position[i] < limit; });
}

/// A thread adds one in a step; none if the position is negative.
struct Entry {
  std::int32_t position = -1;
  float value = 0;
};

/// Goes through the entries of range[0] to range[edges - 1]. Each takes steps of an entry a thread, at least one.
class Steps {
 public:
  __device__ Steps(const EntryRange* range, unsigned edges) : range_(range), edges_(edges), begin_(range[0].begin) {}

  __device__ bool left() const { return edge_ != edges_; }
  __device__ float weight() const { return range_[edge_].weight; }
  /// Returns whether it was the message's last step.
  __device__ bool next() {
    begin_ += blockDim.x;
    if (begin_ < range_[edge_].end) return false;
    if (++edge_ != edges_) begin_ = range_[edge_].begin;
    return true;
  }
  /// The thread's entry of the next step.
  __device__ Entry take(const ConstMessages& messages) {
    Entry entry;
    if (!left()) return entry;
    const std::int32_t slot = range_[edge_].slot;
    if (const unsigned i = begin_ + threadIdx.x; i < range_[edge_].end)
      entry = {messages.position.row(slot)[i], messages.value.row(slot)[i]};
    next();
    return entry;
  }

 private:
  const EntryRange* range_;
  unsigned edges_, edge_ = 0, begin_;
};

/// Adds the messages to the node's row one after the other: positions within a message are unique, and a barrier keeps
/// the order of messages. The middle of a star hears everybody, and would wait for memory behind every barrier: entries
/// are loaded some steps ahead, so that a step takes only as long as reading and writing x, which lies in the first
/// level of cache if the tile is narrow.
__device__ void add_messages(float* row, const ConstMessages& messages, const EntryRange* range, unsigned edges) {
  Steps loads(range, edges), adds(range, edges);
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

/// One block per (tile of the row, node), in strides of the grid; nodes with few in-neighbours have no work for the
/// last tiles, which therefore come last for all nodes. The entries of all messages that the node mixes, its own
/// first, are found in the tile by binary searches side by side, some edges at a time, and then added.
__global__ void __launch_bounds__(kMostThreads, kBlocksTogether) push_sum_mix_kernel(PushSumMix mix, Tiles most_tiles) {
  __shared__ EntryRange range[kMostEdgesAtOnce];
  const std::int64_t edges_at_once = blockDim.x / 2;
  for (std::int64_t item = blockIdx.x; item < mix.x.rows * most_tiles.most; item += gridDim.x) {
    const std::int64_t node = item % mix.x.rows, tile = item / mix.x.rows;
    const std::int64_t tiles = tiles_of_node(mix, node, most_tiles);
    if (tile >= tiles) continue;
    const std::int64_t first = tile * mix.x.cols / tiles, limit = (tile + 1) * mix.x.cols / tiles;
    const std::int64_t edges_begin = mix.edges.begin[node] - 1, edges_end = mix.edges.begin[node + 1];  // -1: itself
    for (std::int64_t first_edge = edges_begin; first_edge < edges_end; first_edge += edges_at_once) {
      const auto edges = static_cast<unsigned>(std::min(edges_at_once, edges_end - first_edge));
      if (threadIdx.x < 2 * edges) {
        const std::int64_t e = first_edge + threadIdx.x / 2, slot = e == edges_begin ? node : mix.edges.slot[e];
        const bool is_end = threadIdx.x % 2;
        EntryRange& mine = range[threadIdx.x / 2];
        (is_end ? mine.end : mine.begin) =
            positions_below(mix.messages.position.row(slot), mix.entries[slot], is_end ? limit : first);
        mine.slot = static_cast<std::int32_t>(slot);  // by two threads, with the same value
        mine.weight = e == edges_begin ? mix.edges.self_weight[node] : mix.edges.weight[e];
      }
      __syncthreads();
      add_messages(mix.x.row(node), mix.messages, range, edges);
    }
  }
}

}  // namespace

void push_sum_mix(const Cuda& gpu, const PushSumMix& mix) {
  check_push_sum_mix_shapes(mix);
  constexpr int kEntriesPerThread = 4;
  const Tiles tiles = tiles_for(mix.messages.position.cols);
  int threads = kFewestThreads;
  while (threads < kMostThreads && threads * kEntriesPerThread < mix.messages.position.cols) threads *= 2;
  launch(gpu,
         {.blocks = blocks_for(gpu, mix.x.rows * tiles.most, kThreadsPerMultiprocessor / threads), .threads = threads},
         push_sum_mix_kernel, mix, tiles);
}

}  // namespace sparsepush
