// The simulator notices what it exists for.
#include "tests/simt/simt.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend/buffer.h"
#include "kernels/backend/cuda_launch.h"

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

}  // namespace
}  // namespace sparsepush
