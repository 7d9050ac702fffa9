// The simulator notices what it exists for.
#include "tests/simt/simt.h"

#include <gtest/gtest.h>

#include <cub/block/block_scan.cuh>
#include <cub/device/device_radix_sort.cuh>
#include <cub/warp/warp_reduce.cuh>
#include <numeric>
#include <vector>

#include "kernels/backend.h"
#include "kernels/buffer.h"
#include "kernels/cuda_launch.h"
#include "kernels/cuda_scratch.h"
#include "kernels/event.h"
#include "kernels/repeated_work.h"
#include "kernels/staged_array.h"
#include "tests/simt/streams.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 96;

/// out[t] = t of the thread at the other end of the block, through shared memory.
void reverse_kernel(MatrixView<int> out) {
  __shared__ int mine[kThreads];
  mine[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncthreads();
  out.row(blockIdx.x)[threadIdx.x] = mine[kThreads - 1 - threadIdx.x];
}
void reverse_without_barrier_kernel(MatrixView<int> out) {
  __shared__ int mine[kThreads];
  mine[threadIdx.x] = static_cast<int>(threadIdx.x);
  out.row(blockIdx.x)[threadIdx.x] = mine[kThreads - 1 - threadIdx.x];
}

std::vector<int> reversed(void (*kernel)(MatrixView<int>)) {
  const Cuda gpu;
  const Buffer<Cuda, int> out(gpu, 2, kThreads);
  launch(gpu, {.blocks = 2, .threads = kThreads}, kernel, out.view());
  return out.to_host();
}

TEST(Simulator, RunsBarriersRightUnderEverySchedule) {
  std::vector<int> expected;
  for (int block = 0; block < 2; ++block)
    for (int t = 0; t < kThreads; ++t) expected.push_back(kThreads - 1 - t);
  for (simt::schedule = 0; simt::schedule < 6; ++simt::schedule) EXPECT_EQ(reversed(reverse_kernel), expected);
}

TEST(Simulator, ShowsAMissingBarrierUnderEverySchedule) {
  for (simt::schedule = 0; simt::schedule < 6; ++simt::schedule)
    EXPECT_NE(reversed(reverse_without_barrier_kernel), reversed(reverse_kernel)) << simt::schedule;
}

void stuck_kernel() {
  if (threadIdx.x < 40) __syncthreads();
}
TEST(Simulator, RefusesABarrierThatNotAllThreadsReach) {
  EXPECT_THROW(launch(Cuda(), {.blocks = 1, .threads = 64}, stuck_kernel), simt::Error);
}

void half_warp_kernel() { __syncwarp(0xffff); }
TEST(Simulator, RefusesMasksThatLeaveThreadsOut) {
  EXPECT_THROW(launch(Cuda(), {.blocks = 1, .threads = 32}, half_warp_kernel), simt::Error);
}

void shuffle_kernel(MatrixView<int> out) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  int* row = out.row(threadIdx.x);
  row[0] = __shfl_xor_sync(~0u, lane, 5);
  row[1] = __shfl_up_sync(~0u, lane, 3);
  row[2] = __shfl_down_sync(~0u, lane, 3);
  row[3] = __shfl_sync(~0u, lane, 7);
  row[4] = static_cast<int>(__ballot_sync(~0u, lane % 3 == 0));
}
TEST(Simulator, ShufflesAndVotesWithinWarps) {
  const Cuda gpu;
  const Buffer<Cuda, int> out(gpu, 64, 5);
  for (simt::schedule = 0; simt::schedule < 3; ++simt::schedule) {
    launch(gpu, {.blocks = 1, .threads = 64}, shuffle_kernel, out.view());
    const std::vector<int> rows = out.to_host();
    for (int t = 0; t < 64; ++t) {
      const int lane = t % 32;
      EXPECT_EQ(std::vector<int>(&rows[t * 5], &rows[t * 5] + 5),
                (std::vector<int>{lane ^ 5, lane < 3 ? lane : lane - 3, lane + 3 < 32 ? lane + 3 : lane, 7,
                                  static_cast<int>(0x49249249u)}));
    }
  }
}

void shared_kernel(MatrixView<int> out) {
  __shared__ int fixed[4];
  const int* dynamic = dynamic_shared<int>();
  if (threadIdx.x == 0) {
    out.row(blockIdx.x)[0] = fixed[3];
    out.row(blockIdx.x)[1] = dynamic[3];
    fixed[3] = dynamic_shared<int>()[3] = 7;
  }
}
TEST(Simulator, PoisonsSharedMemoryBeforeEveryBlock) {
  const Cuda gpu;
  const Buffer<Cuda, int> out(gpu, 3, 2);
  launch(gpu, {.blocks = 3, .threads = 32, .shared_bytes = 16}, shared_kernel, out.view());
  EXPECT_EQ(out.to_host(), std::vector<int>(6, -1));
}

void add_one_kernel(int* number) { *number += 1; }
void add_kernel(const int* number, int* sum) { *sum += *number; }
void shared_address_kernel(MatrixView<int> out) {
  out.row(0)[0] = static_cast<int>(reinterpret_cast<std::uintptr_t>(dynamic_shared<unsigned char>()) % 32);
}
TEST(Simulator, AlignsDynamicSharedMemoryTo16BytesAndNoMore) {
  const Cuda gpu;
  const Buffer<Cuda, int> out(gpu, 1, 1);
  for (const std::size_t bytes : {16, 4096, 50000}) {
    launch(gpu, {.threads = 1, .shared_bytes = bytes}, shared_address_kernel, out.view());
    EXPECT_EQ(out.to_host()[0], 16) << bytes;
  }
}

template <class T>
concept CanBeAddedAtomically = requires(T* p, T v) {
  atomicAdd(p, v);
};
TEST(Simulator, HasAtomicsForTheTypesOfCudaOnly) {
  EXPECT_TRUE(CanBeAddedAtomically<unsigned> && CanBeAddedAtomically<unsigned long long>);
  EXPECT_FALSE(CanBeAddedAtomically<std::int64_t> || CanBeAddedAtomically<std::uint16_t>);
}

TEST(Simulator, RunsRecordedWorkOnlyWhenItIsLaunched) {
  const Cuda gpu;
  const Buffer<Cuda, int> number(gpu, 1, 1);
  RepeatedWork<Cuda> work;
  bool empty_while_recorded = false;
  const auto add_twice = [&] {
    const CudaScratch<int> scratch(gpu, 1);
    launch(gpu, {}, add_one_kernel, scratch.data());
    for (int i = 0; i < 2; ++i) launch(gpu, {}, add_one_kernel, number.span().data());
    empty_while_recorded = *number.span().data() == 0;
  };
  for (int i = 0; i < 3; ++i) work.run(gpu, 0, i, add_twice);
  EXPECT_TRUE(empty_while_recorded);
  EXPECT_EQ(number.to_host(), std::vector<int>{6});
}
TEST(Simulator, RefusesToWaitWhileWorkIsRecorded) {
  const Cuda gpu;
  const Buffer<Cuda, int> number(gpu, 1, 1);
  Event<Cuda> event(gpu);
  EXPECT_THROW(RepeatedWork<Cuda>().run(gpu, 0, 0, [&] { event.record(Queue::kOps); }), simt::Error);
  EXPECT_THROW(RepeatedWork<Cuda>().run(gpu, 0, 0, [&] { wait_for(Queue::kOps, event); }), simt::Error);
  EXPECT_THROW(RepeatedWork<Cuda>().run(gpu, 0, 0, [&] { wait_for(event); }), std::runtime_error);
  EXPECT_THROW(RepeatedWork<Cuda>().run(gpu, 0, 0, [&] { gpu.synchronize(); }), std::runtime_error);
  EXPECT_THROW(RepeatedWork<Cuda>().run(gpu, 0, 0, [&] { number.to_host(); }), std::runtime_error);
  EXPECT_THROW(RepeatedWork<Cuda>().run(gpu, 0, 0, [&] { Buffer<Cuda, int>(gpu, 1, 1); }), std::exception);
  EXPECT_EQ(number.to_host(), std::vector<int>{0}) << "and works again afterwards";
}

/// Every order by turns, and the usual one again.
template <class Body>
void for_each_order(const Body& body) {
  for (simt::stream_order = 0; simt::stream_order < 10; ++simt::stream_order) {
    SCOPED_TRACE(simt::stream_order);
    body();
  }
  simt::stream_order = 0;
}
void copy_int_kernel(const int* from, int* to) { *to = *from; }

TEST(Simulator, KeepsTheOrderWithinAStreamAndDoesAllBeforeSomebodyLooks) {
  for_each_order([] {
    const Cuda gpu;
    const Buffer<Cuda, int> number(gpu, 1, 1), later(gpu, 1, 1);
    for (int i = 0; i < 5; ++i) {
      launch(gpu, {}, add_one_kernel, number.span().data());
      launch(gpu, {}, copy_int_kernel, number.span().data(), later.span().data());
    }
    EXPECT_EQ(later.to_host(), std::vector<int>{5});
  });
}
TEST(Simulator, DoesWorkAtTheCallOrWhenSomebodyWaits) {
  for (const unsigned order : {0u, 1u}) {
    simt::stream_order = order;
    const Cuda gpu;
    const Buffer<Cuda, int> number(gpu, std::vector<int>{4});
    launch(gpu, {}, add_one_kernel, number.span().data());
    EXPECT_EQ(*number.span().data(), order == 0 ? 5 : 4);
    { const Buffer<Cuda, int> other(gpu, 1, 1); }
    EXPECT_EQ(*number.span().data(), 5) << "freeing memory waits for all streams";
  }
  simt::stream_order = 0;
}
TEST(Simulator, ReadsPageableMemoryAtTheCallAndPinnedMemoryWhenTheCopyRuns) {
  simt::stream_order = 1;
  const Cuda gpu;
  const Buffer<Cuda, int> to(gpu, 1, 2);
  gpu.synchronize();
  int pageable = 7;
  int* const pinned = static_cast<int*>(allocate_pinned(gpu, sizeof(int)));
  *pinned = 7;
  check_cuda(cudaMemcpyAsync(to.span().data(), &pageable, sizeof(int), cudaMemcpyDefault, stream_of(gpu)), "copy");
  check_cuda(cudaMemcpyAsync(to.span().data() + 1, pinned, sizeof(int), cudaMemcpyDefault, stream_of(gpu)), "copy");
  pageable = *pinned = 9;
  EXPECT_EQ(to.to_host(), (std::vector<int>{7, 9}));
  release_pinned(pinned);
  simt::stream_order = 0;
}
TEST(Simulator, KnowsWhichMemoryIsWhose) {
  const Cuda gpu;
  const Buffer<Cuda, int> buffer(gpu, 1, 2);
  int other = 0;
  EXPECT_EQ(simt::memory_at(buffer.span().data() + 1), simt::Memory::kDevice);
  EXPECT_EQ(simt::memory_at(&other), simt::Memory::kPageable);
  EXPECT_THROW(copy_within(gpu, buffer.span().data(), &other, sizeof(int)), std::runtime_error);
  EXPECT_THROW(upload(gpu, buffer.span().data(), buffer.span().data() + 1, sizeof(int)), std::runtime_error);
  EXPECT_THROW(clear(gpu, &other, sizeof(int)), std::runtime_error);
}

/// A number is staged, uploaded, and added to a sum by the ops, ten times; without one of the waits, if it is named.
/// What staging has room for is two numbers, and so has the GPU.
enum class Without { kNothing, kOpsWait, kUploadsWait, kHostWait };
int sum_of_uploads(Without without) {
  const Cuda gpu;
  StagedArray<Cuda, int> numbers(gpu, 2, 1);
  const Buffer<Cuda, int> sum(gpu, 1, 1);
  std::vector<Event<Cuda>> uploaded, read;
  for (int i = 0; i < 2; ++i) {
    uploaded.emplace_back(gpu);
    read.emplace_back(gpu);
  }
  for (int i = 0; i < 10; ++i) {
    const int place = i % 2;
    if (without != Without::kHostWait) wait_for(uploaded[place]);
    *numbers.host().row(place) = 1 << i;
    if (without != Without::kUploadsWait) wait_for(Queue::kUploads, read[place]);
    numbers.upload(place, 1);
    uploaded[place].record(Queue::kUploads);
    if (without != Without::kOpsWait) wait_for(Queue::kOps, uploaded[place]);
    launch(gpu, {}, add_kernel, static_cast<const int*>(&numbers.span()[place]), sum.span().data());
    read[place].record(Queue::kOps);
  }
  return sum.to_host().front();
}
TEST(Simulator, LetsEventsOrderStreams) {
  for_each_order([] { EXPECT_EQ(sum_of_uploads(Without::kNothing), 1023); });
}
TEST(Simulator, ShowsAMissingWait) {
  for (const Without without : {Without::kOpsWait, Without::kUploadsWait, Without::kHostWait}) {
    int shown = 0;
    for_each_order([&] { shown += sum_of_uploads(without) != 1023; });
    EXPECT_GE(shown, 4) << static_cast<int>(without);
    simt::stream_order = 1;
    EXPECT_NE(sum_of_uploads(without), 1023) << static_cast<int>(without);
    simt::stream_order = 0;
    EXPECT_EQ(sum_of_uploads(without), 1023) << "at the call nothing shows";
  }
}

void mark_block_kernel(int* mark) { mark[blockIdx.x] = static_cast<int>(gridDim.x); }
TEST(Simulator, RunsOnlyTheLastBlocksWhereAsked) {
  simt::multiprocessors = 1000;
  simt::last_blocks = 2;
  const Cuda gpu;
  const Buffer<Cuda, int> mark(gpu, 1, 5);
  EXPECT_EQ(blocks_for(gpu, 10000), 8000);
  launch(gpu, {.blocks = 5, .threads = 1}, mark_block_kernel, mark.span().data());
  launch(gpu, {.blocks = 1, .threads = 1}, mark_block_kernel, mark.span().data());
  simt::multiprocessors = 3;
  simt::last_blocks = ~0u;
  EXPECT_EQ(mark.to_host(), (std::vector<int>{1, 0, 0, 5, 5}));
}

void nothing_kernel() {}
TEST(Simulator, RefusesLaunchesThatNoGpuWouldDo) {
  const Cuda gpu;
  EXPECT_THROW(launch(gpu, {.blocks = 1, .threads = 1025}, nothing_kernel), simt::Error);
  EXPECT_THROW(launch(gpu, {.blocks = 0, .threads = 32}, nothing_kernel), simt::Error);
  EXPECT_THROW(launch(gpu, {.blocks = 1, .threads = 32, .shared_bytes = 228 * 1024}, nothing_kernel), simt::Error);
}

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
      : keys(gpu, values), sorted_keys(gpu, 1, count()), places(gpu, 1, count()), sorted_places(gpu, 1, count()) {
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
    call(CudaScratch<unsigned char>(gpu, bytes).data());
  }
  Cuda gpu;
  Buffer<Cuda, std::int32_t> keys, sorted_keys, places, sorted_places;
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
