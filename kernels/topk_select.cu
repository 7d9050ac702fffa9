#include <algorithm>
#include <iterator>

#include "kernels/block_scan.h"
#include "kernels/check.h"
#include "kernels/quad.h"
#include "kernels/select_kernel.h"
#include "kernels/topk_select.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;
constexpr int kKeyBits = 31;    // of a magnitude key
constexpr int kDigitBits = 11;  // three looks at the keys find the k-th largest
constexpr int kDigits = 1 << kDigitBits;
constexpr int kDigitsPerThread = kDigits / kThreads;

/// One node's elements of one group; 4 neighbours at a time.
struct GroupRow {
  float* row;
  const std::uint8_t* live;
  int begin_quad, end_quad;

  /// Calls visit(position, key) for the elements of a quad, without padding.
  template <class Visit>
  __device__ void visit_quad(int quad, const Visit& visit) const {
    const Quad elements = load_quad(row, quad);
    for_each_lane(live[quad], [&](int lane) { visit(4 * quad + lane, elements.lane[lane]); });
  }
};

/// What is known of the k-th largest key: its leading bits, and which rank it has among the keys that share them.
struct Prefix {
  std::uint32_t bits, mask;
  unsigned rank;
};

/// Shared memory of a selection.
struct Scratch {
  unsigned histogram[kDigits];
  unsigned warp_sums[kThreads / kWarpThreads];
  Prefix found;
};

/// The next digit of the k-th largest key: a histogram of the digits that follow the prefix, and the bin that the rank,
/// counted from the largest digit down, falls into. Thread t owns the bins [(kThreads - 1 - t) * kDigitsPerThread,
/// ...).
__device__ Prefix next_digit(const GroupRow& group, const Prefix& prefix, int shift, Scratch& scratch) {
  for (int i = 0; i < kDigitsPerThread; ++i) scratch.histogram[i * kThreads + threadIdx.x] = 0;
  __syncthreads();
  for (int quad = group.begin_quad + threadIdx.x; quad < group.end_quad; quad += kThreads)
    group.visit_quad(quad, [&](int, float value) {
      const std::uint32_t key = magnitude_key(value);
      if ((key & prefix.mask) == prefix.bits) atomicAdd(&scratch.histogram[key >> shift & (kDigits - 1)], 1u);
    });
  __syncthreads();
  const int lowest = (kThreads - 1 - static_cast<int>(threadIdx.x)) * kDigitsPerThread;
  unsigned mine = 0;
  for (int i = 0; i < kDigitsPerThread; ++i) mine += scratch.histogram[lowest + i];
  unsigned above = block_scan(mine, scratch.warp_sums).before;  // keys with larger digits
  if (above < prefix.rank && prefix.rank <= above + mine) {
    int digit = lowest + kDigitsPerThread - 1;
    for (; above + scratch.histogram[digit] < prefix.rank; --digit) above += scratch.histogram[digit];
    scratch.found = {prefix.bits | static_cast<std::uint32_t>(digit) << shift,
                     prefix.mask | static_cast<std::uint32_t>(kDigits - 1) << shift, prefix.rank - above};
  }
  __syncthreads();
  return scratch.found;
}

/// Moves the selected elements to the message, in order: those above the threshold, and the first of those that equal
/// it. Threads take neighbouring quads, so that a scan over the block gives each its place.
__device__ void move_selected(const GroupRow& group, const Prefix& kth, std::int32_t* position, float* value,
                              Scratch& scratch) {
  unsigned larger_before = 0, equal_before = 0;
  for (int first = group.begin_quad; first < group.end_quad; first += kThreads) {
    const int quad = first + static_cast<int>(threadIdx.x);
    const bool inside = quad < group.end_quad;
    unsigned larger = 0, equal = 0;
    const auto count = [&](int, float v) {
      larger += magnitude_key(v) > kth.bits;
      equal += magnitude_key(v) == kth.bits;
    };
    if (inside) group.visit_quad(quad, count);
    constexpr unsigned kHalf = 16;  // the scan adds both counts at once: a block has 1,024 elements
    const BlockScan scan = block_scan(larger << kHalf | equal, scratch.warp_sums);
    unsigned larger_here = larger_before + (scan.before >> kHalf);
    unsigned equal_here = equal_before + (scan.before & ((1u << kHalf) - 1));
    const auto move = [&](int p, float v) {
      const bool is_larger = magnitude_key(v) > kth.bits, is_equal = magnitude_key(v) == kth.bits;
      if (is_larger || (is_equal && equal_here < kth.rank)) {
        const unsigned to = larger_here + std::min(equal_here, kth.rank);
        position[to] = p;
        value[to] = v;
        group.row[p] = 0;
      }
      larger_here += is_larger;
      equal_here += is_equal;
    };
    if (inside) group.visit_quad(quad, move);
    larger_before += scan.total >> kHalf;
    equal_before += scan.total & ((1u << kHalf) - 1);
  }
}

/// One block per (node, group), in strides of the grid; threads share the group's elements.
__global__ void topk_select_kernel(std::span<const NodeGroup> groups, std::span<const std::uint8_t> live,
                                   MatrixView<float> v, Messages messages) {
  __shared__ Scratch scratch;
  for (std::int64_t i = blockIdx.x; i < std::ssize(groups); i += gridDim.x) {
    const NodeGroup g = groups[i];
    const GroupRow group{v.row(g.node), live.data(), g.begin / 4, (g.end + 3) / 4};
    Prefix kth{0, 0, static_cast<unsigned>(g.entries)};
    for (int shift = 2 * kDigitBits; shift >= 0; shift -= kDigitBits) kth = next_digit(group, kth, shift, scratch);
    move_selected(group, kth, messages.position.row(g.node) + g.message_begin,
                  messages.value.row(g.node) + g.message_begin, scratch);
  }
}
static_assert(kKeyBits <= 3 * kDigitBits);

std::vector<NodeGroup> node_groups(int nodes, const RowLayout& layout, const std::vector<TopkPlan>& plans) {
  CHECK(!plans.empty() && nodes % plans.size() == 0, "plans ", plans.size(), ", nodes ", nodes);
  std::vector<NodeGroup> groups;
  const int nodes_per_replica = nodes / static_cast<int>(plans.size());
  for (int node = 0; node < nodes; ++node)
    for (const TopkGroup& group : plans[node / nodes_per_replica].groups) {
      const Segment &first = layout.segments[group.first_segment], &last = layout.segments[group.last_segment - 1];
      groups.push_back({node, static_cast<std::int32_t>(first.begin), static_cast<std::int32_t>(last.begin + last.size),
                        static_cast<std::int32_t>(group.entries), static_cast<std::int32_t>(group.message_begin)});
    }
  std::ranges::stable_sort(groups, std::greater{}, [](const NodeGroup& g) { return g.end - g.begin; });
  return groups;
}

}  // namespace

SelectionMemory<Cuda>::SelectionMemory(const Cuda& gpu, int nodes, const RowLayout& layout, std::vector<TopkPlan> plans)
    : layout_(gpu, layout), plans_(std::move(plans)), nodes_(nodes), groups_(gpu, node_groups(nodes, layout, plans_)) {}

std::int64_t SelectionMemory<Cuda>::bytes(int nodes, const RowLayout& layout, const TopkPlan& plan) {
  return layout.row / 4 + std::ssize(plan.groups) * nodes * static_cast<std::int64_t>(sizeof(NodeGroup));
}

void run_selection(const Cuda& gpu, const SelectionMemory<Cuda>& memory, MatrixView<float> v,
                   const Messages& messages) {
  const std::span<const NodeGroup> groups = memory.groups();
  if (groups.empty()) return;
  launch(gpu, {.blocks = blocks_for(gpu, std::ssize(groups)), .threads = kThreads}, topk_select_kernel, groups,
         memory.cuda_layout().live(), v, messages);
}

void topk_select(const Cuda& gpu, SelectionMemory<Cuda>& memory, MatrixView<float> v, const Messages& messages) {
  check_topk_select_shapes(memory.layout(), memory.plans(), v, messages);
  CHECK(memory.nodes() == v.rows, "memory of ", memory.nodes(), " nodes, v ", v);
  run_selection(gpu, memory, v, messages);
}

}  // namespace sparsepush
