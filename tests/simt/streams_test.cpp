// The simulator's streams and events do work as late, or in as odd an order, as a GPU may.
#include "tests/simt/streams.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend/buffer.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/cuda_scratch.h"
#include "kernels/backend/event.h"
#include "kernels/backend/repeated_work.h"
#include "kernels/backend/staged_array.h"
#include "tests/simt/simt.h"

namespace sparsepush {
namespace {

void add_one_kernel(int* number) { *number += 1; }
void add_kernel(const int* number, int* sum) { *sum += *number; }

TEST(SimulatedStreams, RunsRecordedWorkOnlyWhenItIsLaunched) {
  const Cuda gpu;
  const Buffer<Cuda, int> number(gpu, 1, 1);
  RepeatedWork<Cuda> work;
  bool empty_while_recorded = false;
  const auto add_twice = [&] {
    for (int i = 0; i < 2; ++i) launch(gpu, {}, add_one_kernel, number.span().data());
    empty_while_recorded = *number.span().data() == 0;
  };
  for (int i = 0; i < 3; ++i) work.run(gpu, 0, i, add_twice);
  EXPECT_TRUE(empty_while_recorded);
  EXPECT_EQ(number.to_host(), std::vector<int>{6});
}
TEST(SimulatedStreams, RefusesToWaitOrAllocateWhileWorkIsRecorded) {
  const Cuda gpu;
  const Buffer<Cuda, int> number(gpu, 1, 1);
  Event<Cuda> event(gpu);
  EXPECT_THROW(RepeatedWork<Cuda>().run(gpu, 0, 0, [&] { event.record(Queue::kOps); }), simt::Error);
  EXPECT_THROW(RepeatedWork<Cuda>().run(gpu, 0, 0, [&] { wait_for(Queue::kOps, event); }), simt::Error);
  EXPECT_THROW(RepeatedWork<Cuda>().run(gpu, 0, 0, [&] { wait_for(event); }), std::runtime_error);
  EXPECT_THROW(RepeatedWork<Cuda>().run(gpu, 0, 0, [&] { gpu.synchronize(); }), std::runtime_error);
  EXPECT_THROW(RepeatedWork<Cuda>().run(gpu, 0, 0, [&] { number.to_host(); }), std::runtime_error);
  EXPECT_THROW(RepeatedWork<Cuda>().run(gpu, 0, 0, [&] { Buffer<Cuda, int>(gpu, 1, 1); }), std::exception);
  EXPECT_THROW(RepeatedWork<Cuda>().run(gpu, 0, 0, [&] { CudaScratch<int>(gpu, 1); }), simt::Error);
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

TEST(SimulatedStreams, KeepsTheOrderWithinAStreamAndDoesAllBeforeSomebodyLooks) {
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
TEST(SimulatedStreams, DoesWorkAtTheCallOrWhenSomebodyWaits) {
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
TEST(SimulatedStreams, ReadsPageableMemoryAtTheCallAndPinnedMemoryWhenTheCopyRuns) {
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
TEST(SimulatedStreams, KnowsWhichMemoryIsWhose) {
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
TEST(SimulatedStreams, LetsEventsOrderStreams) {
  for_each_order([] { EXPECT_EQ(sum_of_uploads(Without::kNothing), 1023); });
}
TEST(SimulatedStreams, ShowsAMissingWait) {
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

}  // namespace
}  // namespace sparsepush
