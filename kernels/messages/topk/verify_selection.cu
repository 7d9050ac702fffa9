#include <algorithm>
#include <cub/block/block_scan.cuh>
#include <iterator>
#include <optional>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/backend/check.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/quad.h"
#include "kernels/messages/topk/verify_selection.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kWaveBytes = 64 << 20, kWaveNodes = 256;  // verified together: bounds the scratch memory
constexpr int kKeyBits = 31;                                     // of a magnitude key
constexpr int kDigitBits = 11;                                   // three looks at the keys find the k-th largest
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

using Scan = cub::BlockScan<unsigned, kThreads, cub::BLOCK_SCAN_WARP_SCANS>;

/// Shared memory of a selection.
struct Scratch {
  unsigned histogram[kDigits];
  Scan::TempStorage scan;
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
  unsigned mine = 0, above;  // above: keys with larger digits
  for (int i = 0; i < kDigitsPerThread; ++i) mine += scratch.histogram[lowest + i];
  Scan(scratch.scan).ExclusiveSum(mine, above);
  if (prefix.rank - above - 1 < mine) {  // wraps around where the rank lies above
    int digit = lowest + kDigitsPerThread - 1;
    for (; above + scratch.histogram[digit] < prefix.rank; --digit) above += scratch.histogram[digit];
    scratch.found = {prefix.bits | static_cast<std::uint32_t>(digit) << shift,
                     prefix.mask | static_cast<std::uint32_t>(kDigits - 1) << shift, prefix.rank - above};
  }
  __syncthreads();
  return scratch.found;
}

/// Copies the selected elements to the message and clears them, in order: those above the threshold, and the first of
/// those that equal it. Threads take neighbouring quads, so that a scan over the block gives each its place.
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
    unsigned before, total;
    Scan(scratch.scan).ExclusiveSum(larger << kHalf | equal, before, total);
    unsigned larger_here = larger_before + (before >> kHalf);
    unsigned equal_here = equal_before + (before & ((1u << kHalf) - 1));
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
    larger_before += total >> kHalf;
    equal_before += total & ((1u << kHalf) - 1);
    __syncthreads();
  }
}

/// Nodes of one plan that are verified together, in copies of their own.
struct Wave {
  MatrixView<const float> error;           ///< [nodes, row]
  ConstMessages given;                     ///< [nodes, entries]
  MatrixView<float> row;                   ///< [nodes, row] scratch: a copy of the error memory, then v
  Messages selected;                       ///< [nodes, entries] scratch
  MatrixView<std::uint8_t> differs;        ///< [nodes, groups] set to 1, or else left alone
  std::span<const SelectionGroup> groups;  ///< of the plan
  std::span<const std::uint8_t> live;      ///< [row / 4]
};

/// Puts the entries of the messages back. One block per (node, group), in strides of the grid; threads take entries in
/// turn. An entry beyond the group has no place.
__global__ void put_back_kernel(Wave wave) {
  const std::int64_t groups = std::ssize(wave.groups);
  for (std::int64_t item = blockIdx.x; item < wave.row.rows * groups; item += gridDim.x) {
    const std::int64_t node = item / groups;
    const SelectionGroup group = wave.groups[item % groups];
    for (int i = threadIdx.x; i < group.entries; i += kThreads) {
      const std::int32_t p = wave.given.position.row(node)[group.message_begin + i];
      if (p >= 4 * group.range.begin && p < 4 * group.range.end)
        wave.row.row(node)[p] = wave.given.value.row(node)[group.message_begin + i];
    }
  }
}

/// Selects anew. One block per (node, group), in strides of the grid; threads share the group's elements.
__global__ void select_again_kernel(Wave wave) {
  __shared__ Scratch scratch;
  const std::int64_t groups = std::ssize(wave.groups);
  for (std::int64_t item = blockIdx.x; item < wave.row.rows * groups; item += gridDim.x) {
    const std::int64_t node = item / groups;
    const SelectionGroup g = wave.groups[item % groups];
    const GroupRow group{wave.row.row(node), wave.live.data(), g.range.begin, g.range.end};
    Prefix kth{0, 0, static_cast<unsigned>(g.entries)};
    for (int shift = 2 * kDigitBits; shift >= 0; shift -= kDigitBits) kth = next_digit(group, kth, shift, scratch);
    move_selected(group, kth, wave.selected.position.row(node) + g.message_begin,
                  wave.selected.value.row(node) + g.message_begin, scratch);
  }
}
static_assert(kKeyBits <= 3 * kDigitBits);

__device__ bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

/// Compares messages and what is left. One block per (node, group), in strides of the grid; threads take entries and
/// elements in turn, and several may find the same difference.
__global__ void compare_kernel(Wave wave) {
  const std::int64_t groups = std::ssize(wave.groups);
  for (std::int64_t item = blockIdx.x; item < wave.row.rows * groups; item += gridDim.x) {
    const std::int64_t node = item / groups;
    const SelectionGroup group = wave.groups[item % groups];
    bool same = true;
    for (int i = threadIdx.x; i < group.entries; i += kThreads) {
      const std::int64_t at = group.message_begin + i;
      same &= wave.given.position.row(node)[at] == wave.selected.position.row(node)[at] &&
              same_bits(wave.given.value.row(node)[at], wave.selected.value.row(node)[at]);
    }
    for (int p = 4 * group.range.begin + static_cast<int>(threadIdx.x); p < 4 * group.range.end; p += kThreads)
      same &= same_bits(wave.error.row(node)[p], wave.row.row(node)[p]);
    if (!same) wave.differs.row(node)[item % groups] = 1;
  }
}

/// Scratch of a wave: rows and messages of `nodes` nodes.
struct WaveBuffers {
  Buffer<Cuda, float> row, value;
  Buffer<Cuda, std::int32_t> position;
  Buffer<Cuda, std::uint8_t> differs;

  WaveBuffers(const Cuda& gpu, int nodes, const RowLayout& layout, int entries, int groups)
      : row(gpu, nodes, static_cast<int>(layout.row)),
        value(gpu, nodes, entries),
        position(gpu, nodes, entries),
        differs(gpu, nodes, groups) {}
};

/// (row of the wave, group) of the first difference, if any.
std::optional<std::pair<int, int>> verify_wave(const Cuda& gpu, const Wave& wave,
                                               const Buffer<Cuda, std::uint8_t>& differs) {
  copy_within(gpu, wave.row.data, wave.error.data, wave.row.size() * sizeof(float));
  clear(gpu, differs.view().data, differs.view().size());
  const LaunchShape shape{.blocks = blocks_for(gpu, wave.row.rows * std::ssize(wave.groups)), .threads = kThreads};
  launch(gpu, shape, put_back_kernel, wave);
  launch(gpu, shape, select_again_kernel, wave);
  launch(gpu, shape, compare_kernel, wave);
  const std::vector<std::uint8_t> found = differs.to_host();
  const auto first = std::ranges::find(found, 1);
  if (first == found.end()) return std::nullopt;
  const auto at = static_cast<int>(first - found.begin()), groups = static_cast<int>(wave.groups.size());
  return std::pair(at / groups, at % groups);
}

}  // namespace

void verify_selection(const Cuda& gpu, const SelectionMemory<Cuda>& memory, MatrixView<const float> error,
                      const ConstMessages& messages) {
  check_verify_selection_shapes(memory.layout(), memory.plans(), error, messages);
  CHECK(memory.nodes() == error.rows, "memory of ", memory.nodes(), " nodes, error ", error);
  if (error.size() == 0) return;
  const CudaSelection& selection = memory.selection();
  const std::vector<std::int32_t>& first_group = selection.host().first_group;
  const std::int64_t node_bytes = error.cols * static_cast<std::int64_t>(sizeof(float));
  const int nodes = selection.nodes_per_plan();
  const auto wave_nodes =
      static_cast<int>(std::clamp<std::int64_t>(kWaveBytes / node_bytes, 1, std::min<std::int64_t>(nodes, kWaveNodes)));
  for (int plan = 0; plan + 1 < static_cast<int>(first_group.size()); ++plan) {
    const int groups = first_group[plan + 1] - first_group[plan];
    const WaveBuffers buffers(gpu, wave_nodes, memory.layout(), messages.position.cols, groups);
    for (int done = 0; done < nodes; done += wave_nodes) {
      const int first = plan * nodes + done, count = std::min(wave_nodes, nodes - done);
      const Wave wave{.error = error.rows_from(first, count),
                      .given = {messages.position.rows_from(first, count), messages.value.rows_from(first, count)},
                      .row = buffers.row.view().rows_from(0, count),
                      .selected = {buffers.position.view(), buffers.value.view()},
                      .differs = buffers.differs.view(),
                      .groups = selection.groups().subspan(first_group[plan], groups),
                      .live = memory.cuda_layout().live()};
      if (const auto found = verify_wave(gpu, wave, buffers.differs))
        selection_differs(first + found->first, found->second);
    }
  }
}

}  // namespace sparsepush
