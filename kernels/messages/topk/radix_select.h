// The k largest of some keys, found and moved in order by the threads of a block, for .cu files only.
//
// Keys stand in rows, in shared memory, or in lists of candidates; a type for each offers the same three functions:
//   for_each_key(visit)              the block's threads share the calls visit(key), in any order
//   warp_tiles()                     how many tiles for a warp, of at most kLongestWarpTile elements, the keys have
//   visit_warp_tile(number, visit)   all lanes of a warp call visit(position, key) together, by increasing position
#pragma once
#include <algorithm>
#include <cstdint>
#include <cub/block/block_scan.cuh>
#include <cub/warp/warp_reduce.cuh>

#include "kernels/backend/float_bits.h"
#include "kernels/backend/quad.h"
#include "kernels/messages/topk/selection_tiles.h"

namespace sparsepush {

constexpr int kLongestWarpTile = 4 * kPartTileQuads;

constexpr int kDigitBits = 11;  // three looks at the keys find the k-th largest
constexpr int kDigits = 1 << kDigitBits;
constexpr int kLanes = 32;  // of a warp

/// Orders elements as `magnitude_key` does, and above 0, which stands for no element: so padding needs no care.
__device__ inline std::uint32_t rank_key(float x) { return magnitude_key(x) + 1; }
constexpr std::uint32_t kLargestKey = 0x7f80'0002u;  // of NaN
static_assert(kLargestKey < 1u << (3 * kDigitBits - 2));

/// Selects all larger keys, and the first `equal` elements with this one.
struct Threshold {
  std::uint32_t key;
  unsigned equal;
};

/// Two counts in one word, so that one scan adds both.
struct Counts {
  static __device__ std::uint64_t of(unsigned larger, unsigned equal) {
    return static_cast<std::uint64_t>(larger) << 32 | equal;
  }
  static __device__ unsigned larger(std::uint64_t counts) { return static_cast<unsigned>(counts >> 32); }
  static __device__ unsigned equal(std::uint64_t counts) { return static_cast<unsigned>(counts); }
  static __device__ unsigned selected(std::uint64_t counts, const Threshold& threshold) {
    return larger(counts) + std::min(equal(counts), threshold.equal);
  }
};

/// Shared memory of a selection by a block of kThreads. CUB's other scans spill at 64 registers a thread.
template <int kThreads>
struct SelectScratch {
  using DigitScan = cub::BlockScan<unsigned, kThreads, cub::BLOCK_SCAN_WARP_SCANS>;
  using CountScan = cub::BlockScan<std::uint64_t, kThreads, cub::BLOCK_SCAN_WARP_SCANS>;
  using WarpSum = cub::WarpReduce<unsigned>;

  unsigned histogram[kDigits];
  typename DigitScan::TempStorage digit_scan;
  typename CountScan::TempStorage count_scan;
  typename WarpSum::TempStorage warp_sum[kThreads / kLanes];
  std::uint32_t key, mask;  ///< the leading bits of the k-th largest key
  unsigned rank;            ///< of it among the keys that share them
};

__device__ inline unsigned lane() { return threadIdx.x % kLanes; }
__device__ inline unsigned warp() { return threadIdx.x / kLanes; }
__device__ inline unsigned warps() { return blockDim.x / kLanes; }

/// Calls visit(i, i < end) for i = begin, begin + 1, ... until the last lane is there: all lanes of a warp together.
template <class Visit>
__device__ void for_each_by_warp(int begin, int end, const Visit& visit) {
  for (int first = begin; first < end; first += kLanes) {
    const int i = first + static_cast<int>(lane());
    visit(i, i < end);
  }
}

/// Finds the next digit of the k-th largest key: a histogram of the digits that follow its known bits, and the bin that
/// the rank, counted from the largest digit down, falls into. Each thread owns neighbouring bins, the last the
/// smallest.
template <class Keys, int kThreads>
__device__ void find_digit(const Keys& keys, int shift, SelectScratch<kThreads>& scratch) {
  constexpr int kBins = kDigits / kThreads;
  for (int i = 0; i < kBins; ++i) scratch.histogram[i * kThreads + threadIdx.x] = 0;
  __syncthreads();
  const std::uint32_t known = scratch.key, mask = scratch.mask;
  const unsigned rank = scratch.rank;
  keys.for_each_key([&](std::uint32_t key) {
    if ((key & mask) == known) atomicAdd(&scratch.histogram[key >> shift & (kDigits - 1)], 1u);
  });
  __syncthreads();
  const int lowest = (kThreads - 1 - static_cast<int>(threadIdx.x)) * kBins;
  unsigned mine = 0, above;  // above: keys with larger digits
  for (int i = 0; i < kBins; ++i) mine += scratch.histogram[lowest + i];
  typename SelectScratch<kThreads>::DigitScan(scratch.digit_scan).ExclusiveSum(mine, above);
  if (rank - above - 1 < mine) {  // wraps around where the rank lies above
    int digit = lowest + kBins - 1;
    for (; above + scratch.histogram[digit] < rank; --digit) above += scratch.histogram[digit];
    scratch.key = known | static_cast<std::uint32_t>(digit) << shift;
    scratch.mask = mask | static_cast<std::uint32_t>(kDigits - 1) << shift;
    scratch.rank = rank - above;
  }
  __syncthreads();
}

/// Finds what selects `entries` of the keys, of which there are as many at least. All threads of the block call it.
template <class Keys, int kThreads>
__device__ Threshold find_threshold(const Keys& keys, unsigned entries, SelectScratch<kThreads>& scratch) {
  if (threadIdx.x == 0) {
    scratch.key = scratch.mask = 0;
    scratch.rank = entries;
  }
  for (int shift = 2 * kDigitBits; shift >= 0; shift -= kDigitBits) find_digit(keys, shift, scratch);
  return {scratch.key, scratch.rank};
}

/// Counts the keys above and at the threshold in each tile: a warp per tile.
template <class Keys, int kThreads>
__device__ void count_warp_tiles(const Keys& keys, const Threshold& threshold, std::uint64_t* counts,
                                 SelectScratch<kThreads>& scratch) {
  constexpr unsigned kHalf = 16;  // a tile has fewer elements than 2^16
  static_assert(kLongestWarpTile < 1 << kHalf);
  for (int warp_tile = warp(); warp_tile < keys.warp_tiles(); warp_tile += warps()) {
    unsigned both = 0;
    keys.visit_warp_tile(warp_tile, [&](std::int32_t, std::uint32_t key) {
      both += static_cast<unsigned>(key > threshold.key) << kHalf | static_cast<unsigned>(key == threshold.key);
    });
    both = typename SelectScratch<kThreads>::WarpSum(scratch.warp_sum[warp()]).Sum(both);
    if (lane() == 0) counts[warp_tile] = Counts::of(both >> kHalf, both & ((1u << kHalf) - 1));
    __syncwarp();
  }
}

/// Replaces the counts by those of all tiles before; returns the total. A thread per tile.
template <int kThreads>
__device__ std::uint64_t scan_counts(std::uint64_t* counts, int warp_tiles, SelectScratch<kThreads>& scratch) {
  std::uint64_t before = 0;
  for (int first = 0; first < warp_tiles; first += kThreads) {
    const int i = first + static_cast<int>(threadIdx.x);
    std::uint64_t before_here, total;
    typename SelectScratch<kThreads>::CountScan(scratch.count_scan)
        .ExclusiveSum(i < warp_tiles ? counts[i] : std::uint64_t{0}, before_here, total);
    if (i < warp_tiles) counts[i] = before + before_here;
    before += total;
    __syncthreads();
  }
  return before;
}

/// Calls emit(number among the selected, position, key) for what is selected of a tile. A warp calls it; lanes take
/// neighbouring elements, so that ballots give each its number.
template <class Keys, class Emit>
__device__ void emit_warp_tile(const Keys& keys, int warp_tile, const Threshold& threshold, std::uint64_t before,
                               const Emit& emit) {
  const unsigned lower_lanes = (1u << lane()) - 1;
  unsigned larger = Counts::larger(before), equal = Counts::equal(before);
  keys.visit_warp_tile(warp_tile, [&](std::int32_t position, std::uint32_t key) {
    const bool is_larger = key > threshold.key, is_equal = key == threshold.key;
    const unsigned larger_lanes = __ballot_sync(~0u, is_larger), equal_lanes = __ballot_sync(~0u, is_equal);
    const unsigned equal_before = equal + __popc(equal_lanes & lower_lanes);
    if (is_larger || (is_equal && equal_before < threshold.equal))
      emit(larger + __popc(larger_lanes & lower_lanes) + std::min(equal_before, threshold.equal), position, key);
    larger += __popc(larger_lanes);
    equal += __popc(equal_lanes);
  });
}

/// Calls emit(number, position, key) for all that the threshold selects. counts: [warp tiles], as scan_counts left
/// them.
template <class Keys, class Emit>
__device__ void emit_warp_tiles(const Keys& keys, const Threshold& threshold, const std::uint64_t* counts,
                                std::uint64_t total, const Emit& emit) {
  for (int warp_tile = warp(); warp_tile < keys.warp_tiles(); warp_tile += warps()) {
    const std::uint64_t before = counts[warp_tile],
                        after = warp_tile + 1 < keys.warp_tiles() ? counts[warp_tile + 1] : total;
    if (Counts::selected(before, threshold) < Counts::selected(after, threshold))
      emit_warp_tile(keys, warp_tile, threshold, before, emit);
  }
}

/// Selects `entries` keys and emits them in order. counts: [warp tiles] of scratch, seen by the whole block.
template <class Keys, int kThreads, class Emit>
__device__ Threshold radix_select(const Keys& keys, unsigned entries, std::uint64_t* counts,
                                  SelectScratch<kThreads>& scratch, const Emit& emit) {
  const Threshold threshold = find_threshold(keys, entries, scratch);
  count_warp_tiles(keys, threshold, counts, scratch);
  __syncthreads();
  const std::uint64_t total = scan_counts(counts, keys.warp_tiles(), scratch);
  emit_warp_tiles(keys, threshold, counts, total, emit);
  return threshold;
}

}  // namespace sparsepush
