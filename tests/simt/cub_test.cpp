// The simulator's part of CUB notices what a GPU would not forgive.
#include <gtest/gtest.h>

#include <cub/block/block_scan.cuh>
#include <cub/device/device_radix_sort.cuh>
#include <cub/warp/warp_reduce.cuh>
#include <numeric>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend/buffer.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/repeated_work.h"
#include "tests/simt/simt.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 96;

using Scan = cub::BlockScan<int, kThreads>;
using WarpSum = cub::WarpReduce<int>;

/// Rows of out: of the numbers 1, 2, ... those before a thread's and all of them; then the same of their squares.
template <bool kBarrier>
void scan_twice(MatrixView<int> out, Scan::TempStorage& storage) {
  const int t = static_cast<int>(threadIdx.x);
  Scan(storage).ExclusiveSum(t + 1, out.row(0)[t], out.row(1)[t]);
  if (kBarrier) __syncthreads();
  Scan(storage).ExclusiveSum((t + 1) * (t + 1), out.row(2)[t]);
}
void scan_kernel(MatrixView<int> out) {
  __shared__ Scan::TempStorage storage;
  scan_twice<true>(out, storage);
}
void scan_without_barrier_kernel(MatrixView<int> out) {
  __shared__ Scan::TempStorage storage;
  scan_twice<false>(out, storage);
}
std::vector<int> scanned(void (*kernel)(MatrixView<int>), int threads = kThreads) {
  const Cuda gpu;
  const Buffer<Cuda, int> out(gpu, 3, kThreads);
  launch(gpu, {.blocks = 1, .threads = threads}, kernel, out.view());
  return out.to_host();
}
TEST(SimulatedCub, ScansABlockAndShowsAMissingBarrier) {
  std::vector<int> expected(3 * kThreads);
  for (int t = 0, sum = 0, squares = 0; t < kThreads; sum += t + 1, squares += (t + 1) * (t + 1), ++t) {
    expected[t] = sum;
    expected[kThreads + t] = kThreads * (kThreads + 1) / 2;
    expected[2 * kThreads + t] = squares;
  }
  for (simt::schedule = 0; simt::schedule < 6; ++simt::schedule) {
    EXPECT_EQ(scanned(scan_kernel), expected) << simt::schedule;
    EXPECT_NE(scanned(scan_without_barrier_kernel), expected) << simt::schedule;
  }
}
TEST(SimulatedCub, RefusesAScanByAnotherNumberOfThreads) { EXPECT_THROW(scanned(scan_kernel, 64), simt::Error); }

/// sum[w] = twice the sum of the thread numbers in warp w, the second time of other values that add up to 31 more.
template <bool kBarrier>
void sum_twice(MatrixView<int> sum, WarpSum::TempStorage* storage) {
  const auto t = static_cast<int>(threadIdx.x), w = t / 32;
  const int once = WarpSum(storage[w]).Sum(t);
  if (kBarrier) __syncwarp();
  const int twice = once + WarpSum(storage[w]).Sum(t % 32 == 0 ? t : t + 1) - 31;
  if (t % 32 == 0) sum.row(0)[w] = twice;
}
void warp_sum_kernel(MatrixView<int> sum) {
  __shared__ WarpSum::TempStorage storage[3];
  sum_twice<true>(sum, storage);
}
void warp_sum_without_barrier_kernel(MatrixView<int> sum) {
  __shared__ WarpSum::TempStorage storage[3];
  sum_twice<false>(sum, storage);
}
std::vector<int> warp_sums(void (*kernel)(MatrixView<int>), int threads = kThreads) {
  const Cuda gpu;
  const Buffer<Cuda, int> sum(gpu, 1, 3);
  launch(gpu, {.blocks = 1, .threads = threads}, kernel, sum.view());
  return sum.to_host();
}
TEST(SimulatedCub, SumsWarpsAndShowsAMissingBarrier) {
  const std::vector<int> expected{2 * 496, 2 * (496 + 32 * 32), 2 * (496 + 32 * 64)};
  int shown = 0;
  for (simt::schedule = 0; simt::schedule < 6; ++simt::schedule) {
    EXPECT_EQ(warp_sums(warp_sum_kernel), expected) << simt::schedule;
    shown += warp_sums(warp_sum_without_barrier_kernel) != expected;
  }
  EXPECT_GE(shown, 2) << "where the first lane does not come first";
}
TEST(SimulatedCub, RefusesSumsOfPartsOfWarps) { EXPECT_THROW(warp_sums(warp_sum_kernel, 80), simt::Error); }

/// Keys with their first places, and the same sorted by the keys' bits from `begin_bit` on.
struct Pairs {
  explicit Pairs(const std::vector<std::int32_t>& values)
      : keys(gpu, values),
        sorted_keys(gpu, 1, count()),
        places(gpu, 1, count()),
        sorted_places(gpu, 1, count()),
        temp(gpu, 1, 100) {
    std::iota(places.span().begin(), places.span().end(), 0);
  }
  int count() const { return static_cast<int>(keys.span().size()); }
  void sort(int begin_bit) {
    std::size_t bytes = 0;
    const auto call = [&](void* temp) {
      check_cuda(cub::DeviceRadixSort::SortPairs(temp, bytes, keys.span().data(), sorted_keys.span().data(),
                                                 places.span().data(), sorted_places.span().data(), count(), begin_bit,
                                                 31, stream_of(gpu)),
                 "SortPairs");
    };
    call(nullptr);
    ASSERT_LE(bytes, temp.span().size_bytes());
    call(temp.span().data());
  }
  Cuda gpu;
  Buffer<Cuda, std::int32_t> keys, sorted_keys, places, sorted_places;
  Buffer<Cuda, std::uint64_t> temp;
};
TEST(SimulatedCub, SortsPairsStablyByTheKeysLeadingBits) {
  Pairs pairs({0x29, 0x7fffffff, 0x21, 0x13, 0x2f});
  pairs.sort(4);
  EXPECT_EQ(pairs.sorted_keys.to_host(), (std::vector<std::int32_t>{0x13, 0x29, 0x21, 0x2f, 0x7fffffff}));
  EXPECT_EQ(pairs.sorted_places.to_host(), (std::vector<std::int32_t>{3, 0, 2, 4, 1}));
  pairs.sort(0);
  EXPECT_EQ(pairs.sorted_places.to_host(), (std::vector<std::int32_t>{3, 2, 0, 4, 1}));
}
TEST(SimulatedCub, SortsRecordedPairsWhenTheWorkRuns) {
  Pairs pairs({3, 1, 2});
  RepeatedWork<Cuda> work;
  for (const std::int32_t first : {3, 0}) {
    pairs.keys.span()[0] = first;
    work.run(pairs.gpu, 0, 0, [&] { pairs.sort(0); });
  }
  EXPECT_EQ(pairs.sorted_keys.to_host(), (std::vector<std::int32_t>{0, 1, 2}));
}
TEST(SimulatedCub, RefusesToSortInPlaceOrInTooLittleMemoryOrByTheSign) {
  Pairs pairs(std::vector<std::int32_t>(9));
  const Buffer<Cuda, std::uint64_t> temp(pairs.gpu, 1, 100);
  const auto sort = [&](int count, std::int32_t* sorted_keys, std::size_t bytes, int end_bit) {
    cub::DeviceRadixSort::SortPairs(temp.span().data(), bytes, pairs.keys.span().data(), sorted_keys,
                                    pairs.places.span().data(), pairs.sorted_places.span().data(), count, 0, end_bit,
                                    stream_of(pairs.gpu));
  };
  std::int32_t* const apart = pairs.sorted_keys.span().data();
  EXPECT_NO_THROW(sort(8, apart, 800, 31));
  EXPECT_THROW(sort(8, pairs.keys.span().data() + 1, 800, 31), simt::Error);
  EXPECT_THROW(sort(8, apart, 8, 31), simt::Error);
  EXPECT_THROW(sort(8, apart, 800, 32), simt::Error);
}

}  // namespace
}  // namespace sparsepush
