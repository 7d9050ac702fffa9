#include <algorithm>

#include "kernels/backend/check.h"
#include "kernels/messages/topk/radix_select.h"
#include "kernels/messages/topk/select_kernel.h"
#include "kernels/messages/topk/topk_select.h"
#include "kernels/nodes/unpadded_index.h"

namespace sparsepush {
namespace {

constexpr int kMostThreads = 1024;  // of a block that finishes a large group
constexpr int kTilesPerWarp = 8;    // of the largest group: passes over a few tiles are mostly latency

/// The elements of a large group in their row; each warp takes part tiles.
struct RowKeys {
  const float* row;
  std::span<const std::uint8_t> live;
  QuadRange range;
  std::span<const QuadRange> parts;

  template <class Visit>
  __device__ void for_each_key(const Visit& visit) const {
    for (int quad = range.begin + static_cast<int>(threadIdx.x); quad < range.end; quad += blockDim.x) {
      const Quad elements = load_quad(row, quad);
      for_each_lane(live[quad], [&](int lane) { visit(rank_key(elements.lane[lane])); });
    }
  }
  __device__ int warp_tiles() const { return static_cast<int>(parts.size()); }
  template <class Visit>
  __device__ void visit_warp_tile(int number, const Visit& visit) const {
    for_each_by_warp(4 * parts[number].begin, 4 * parts[number].end,
                     [&](int p, bool inside) { visit(p, inside && p % 4 < live[p / 4] ? rank_key(row[p]) : 0u); });
  }
};

/// The keys that part tiles have listed as candidates; each warp takes the lists of part tiles in turn.
struct CandidateKeys {
  const std::int32_t* position;
  const std::uint32_t* key;
  unsigned count;
  std::span<const PartCandidates> parts;

  template <class Visit>
  __device__ void for_each_key(const Visit& visit) const {
    for (unsigned i = threadIdx.x; i < count; i += blockDim.x) visit(key[i]);
  }
  __device__ int warp_tiles() const { return static_cast<int>(parts.size()); }
  template <class Visit>
  __device__ void visit_warp_tile(int number, const Visit& visit) const {
    for_each_by_warp(parts[number].begin, parts[number].begin + parts[number].count,
                     [&](int i, bool inside) { visit(inside ? position[i] : 0, inside ? key[i] : 0u); });
  }
};

/// Returns what the next round starts with.
__device__ GroupState next_state(GroupState state, const LargeGroup& large, const Threshold& threshold) {
  learn(state.warmth, threshold.key - 1);
  if (state.candidates > static_cast<unsigned>(large.candidates_room))  // as costly as a miss
    state.warmth.fall = std::min(state.warmth.fall, state.warmth.fall / 2);
  return {state.warmth, large.candidates_room > 0 ? warm_start(state.warmth, large.margin) : 0, 0};
}

/// Moves a group of which everything is selected, in one pass without a look at keys: threads take quads in turn. False
/// where something is not.
__device__ bool move_everything(const Selection& s, const SelectionGroup& group, const MoveToMessage& move) {
  const auto [begin, end] = group.range;
  const std::int64_t first = unpadded_index(s.paddings, 4 * begin);
  if (unpadded_index(s.paddings, 4 * (end - 1)) + s.live[end - 1] - first > group.entries) return false;
  for (int quad = begin + static_cast<int>(threadIdx.x); quad < end; quad += blockDim.x) {
    const auto to = static_cast<unsigned>(unpadded_index(s.paddings, 4 * quad) - first);
    for_each_lane(s.live[quad], [&](int lane) { move(to + lane, 4 * quad + lane, 0); });
  }
  return true;
}

/// One block per (large group, node), in strides of the grid. The fallback, which reads the whole row, is left to the
/// same block: it comes in a group's first rounds and hardly ever later, so that a launch of its own would not pay.
template <int kThreads>
__global__ void __launch_bounds__(kThreads, kMostThreads / kThreads) finish_large_kernel(Selection s) {
  SelectScratch<kThreads>& scratch = *dynamic_shared<SelectScratch<kThreads>>();
  const std::int64_t items = std::ssize(s.large) * s.nodes_per_plan;
  for (std::int64_t item = blockIdx.x; item < items; item += gridDim.x) {
    const auto number = static_cast<int>(item / s.nodes_per_plan);
    const auto state_row = static_cast<int>(item % s.nodes_per_plan);
    const LargeGroup large = s.large[number];
    const int node = large.plan * s.nodes_per_plan + state_row;
    const MoveToMessage move = mover(s.v, s.messages, node, large.group);
    if (move_everything(s, large.group, move)) continue;
    GroupState& state = s.states.groups.row(state_row)[number];
    const auto entries = static_cast<unsigned>(large.group.entries), found = state.candidates;
    const auto parts = static_cast<std::size_t>(large.last_part - large.first_part);
    std::uint64_t* const counts = s.states.counts.row(state_row) + large.first_part;
    Threshold threshold;
    if (entries <= found && found <= static_cast<unsigned>(large.candidates_room)) {
      const CandidateKeys keys{s.states.position.row(state_row) + large.candidates_begin,
                               s.states.key.row(state_row) + large.candidates_begin, found,
                               std::span(s.states.parts.row(state_row) + large.first_part, parts)};
      threshold = radix_select(keys, entries, counts, scratch, move);
    } else {
      const RowKeys keys{move.row, s.live, large.group.range, s.parts.subspan(large.first_part, parts)};
      threshold = radix_select(keys, entries, counts, scratch, move);
    }
    if (threadIdx.x == 0) state = next_state(state, large, threshold);
  }
}

/// The elements are there already.
struct GivenRow {
  const float* v;
  __device__ Quad load(int quad, int) const { return load_quad(v, quad); }
};
struct GivenRows {
  MatrixView<const float> v;
  __device__ GivenRow row(int node) const { return {v.row(node)}; }
};

template <int kThreads>
void launch_finish_large(const Cuda& gpu, const Selection& selection) {
  const std::int64_t items = std::ssize(selection.large) * selection.nodes_per_plan;
  launch(gpu,
         {.blocks = blocks_for(gpu, items, kMostThreads / kThreads),
          .threads = kThreads,
          .shared_bytes = sizeof(SelectScratch<kThreads>)},
         finish_large_kernel<kThreads>, selection);
}

}  // namespace

void finish_large(const Cuda& gpu, const Selection& selection, int most_parts) {
  const int wanted = most_parts / kTilesPerWarp * kLanes;
  if (wanted <= 256)
    launch_finish_large<256>(gpu, selection);
  else if (wanted <= 512)
    launch_finish_large<512>(gpu, selection);
  else
    launch_finish_large<kMostThreads>(gpu, selection);
}

void topk_select(const Cuda& gpu, SelectionMemory<Cuda>& memory, MatrixView<float> v, const Messages& messages) {
  check_topk_select_shapes(memory.layout(), memory.plans(), v, messages);
  CHECK(memory.nodes() == v.rows, "memory of ", memory.nodes(), " nodes, v ", v);
  run_selection(gpu, memory, GivenRows{v}, v, messages);
}

}  // namespace sparsepush
