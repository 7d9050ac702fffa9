// What the stand-in for NCCL does whether its ranks are threads or processes: run(ranks, body) calls body(rank) in
// each.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/event.h"
#include "tests/backends.h"
#include "tests/simt/nccl_ranks.h"

namespace sparsepush {

template <class Run>
void expect_every_message_in_its_place(const Run& run) {
  for (const int ranks : {1, 2, 3, 5})
    for_each_stream_order<Cuda>([&] {
      run(ranks, [](Rank& own) {
        for (int turn = 0; turn < 3; ++turn) EXPECT_EQ(own.exchange(), ncclSuccess);
        std::vector<int> expected(4 * own.ranks);
        for (int from = 0; from < own.ranks; ++from)
          for (int i = 0; i < 4 && from != own.rank; ++i) expected[4 * from + i] = 100 * from + 10 * own.rank + i;
        EXPECT_EQ(own.received.to_host(), expected);
        EXPECT_EQ(ncclCommDestroy(own.comm), ncclSuccess);
      });
    });
}

template <class Run>
void expect_messages_of_two_ranks_in_their_order(const Run& run) {
  for_each_stream_order<Cuda>([&] {
    run(2, [](Rank& own) {
      ncclGroupStart();
      for (const int row : {0, 1}) {
        if (own.rank == 0) {
          EXPECT_EQ(ncclSend(own.sent.view().row(1 - row), 4, ncclInt32, 1, own.comm, stream_of(own.gpu)), ncclSuccess);
        } else
          EXPECT_EQ(ncclRecv(own.received.view().row(row), 4, ncclInt32, 0, own.comm, stream_of(own.gpu)), ncclSuccess);
      }
      EXPECT_EQ(ncclGroupEnd(), ncclSuccess);
      if (own.rank == 1) {
        EXPECT_EQ(own.received.to_host(), (std::vector{10, 11, 12, 13, 0, 1, 2, 3}));
      }
      own.gpu.synchronize();
      EXPECT_EQ(ncclCommDestroy(own.comm), ncclSuccess);
    });
  });
}

inline void copy_kernel(const int* from, int* to, int count) {
  for (int i = 0; i < count; ++i) to[i] = from[i];
}

template <class Run>
void expect_delivery_when_a_stream_is_waited_for(const Run& run) {
  for_each_stream_order<Cuda>([&] {
    run(2, [&](Rank& own) {
      const int other = 1 - own.rank;
      const Buffer<Cuda, int> before(own.gpu, 1, 4), after(own.gpu, 1, 4);
      own.gpu.synchronize();
      const int* received = own.received.view().row(other);
      launch(own.gpu, {}, copy_kernel, received, before.span().data(), 4);
      EXPECT_EQ(own.exchange(), ncclSuccess);
      launch(own.gpu, {}, copy_kernel, received, after.span().data(), 4);
      own.meet();
      if (simt::stream_order == 1) {
        EXPECT_EQ(received[0], 0);
      }
      own.meet();
      EXPECT_EQ(before.to_host(), (std::vector{0, 0, 0, 0}));
      const int first = 100 * other + 10 * own.rank;
      EXPECT_EQ(after.to_host(), (std::vector{first, first + 1, first + 2, first + 3}));
      own.gpu.synchronize();
      EXPECT_EQ(ncclCommDestroy(own.comm), ncclSuccess);
    });
  });
}

// A GPU goes on by itself: rank 0 waits for exchanges of all others' streams before these wait for anything.
template <class Run>
void expect_progress_of_ranks_that_do_not_wait(const Run& run) {
  for_each_stream_order<Cuda>([&] {
    run(3, [](Rank& own) {
      for (int turn = 0; turn < 3; ++turn) EXPECT_EQ(own.exchange(), ncclSuccess);
      if (own.rank == 0) {
        EXPECT_EQ(own.received.to_host()[11], 203);
      }
      own.meet();
      if (own.rank > 0) {
        EXPECT_EQ(own.received.to_host()[3], 10 * own.rank + 3);
      }
      EXPECT_EQ(ncclCommDestroy(own.comm), ncclSuccess);
    });
  });
}

inline void add_one_kernel(int* numbers, int count) {
  for (int i = 0; i < count; ++i) numbers[i] += 1;
}

/// Which of the events a test leaves out: that the ops wait for messages, or messages for ops.
enum class WithoutEvent { kNone, kOpsWait, kMessagesWait };

/// Exchanges on a stream of their own between ops that write what is sent and read what has come, ten rounds: returns
/// in how many of them all that was read was right.
inline int right_rounds(Rank& own, WithoutEvent without) {
  auto* const messages = static_cast<cudaStream_t>(own.gpu.upload_stream());
  const int count = 4 * own.ranks;
  const Buffer<Cuda, int> read(own.gpu, 10, count);
  Event<Cuda> written(own.gpu), arrived(own.gpu);
  own.gpu.synchronize();
  for (int round = 0; round < 10; ++round) {
    launch(own.gpu, {}, add_one_kernel, own.sent.span().data(), count);
    written.record(Queue::kOps);
    if (without != WithoutEvent::kMessagesWait) wait_for(Queue::kUploads, written);
    EXPECT_EQ(own.exchange(own.sent, own.received, messages), ncclSuccess);
    arrived.record(Queue::kUploads);
    if (without != WithoutEvent::kOpsWait) wait_for(Queue::kOps, arrived);
    const int* received = own.received.span().data();
    launch(own.gpu, {}, copy_kernel, received, read.view().row(round), count);
  }
  if (own.rank > 0) own.meet();  // rank 0 waits first, the others' streams have to go on for it
  const std::vector<int> all = read.to_host();
  messages->synchronize();
  if (own.rank == 0) own.meet();
  int right = 0;
  for (int round = 0; round < 10; ++round) {
    bool is_right = true;
    for (int i = 0; i < count; ++i)
      if (const int from = i / 4; from != own.rank)
        is_right = is_right && all[count * round + i] == 100 * from + 10 * own.rank + i % 4 + round + 1;
    right += is_right;
  }
  return right;
}

template <class Run>
void expect_exchanges_between_ops_of_another_stream(const Run& run) {
  for (const int ranks : {2, 3})
    for_each_stream_order<Cuda>([&] {
      run(ranks, [](Rank& own) {
        EXPECT_EQ(right_rounds(own, WithoutEvent::kNone), 10);
        EXPECT_EQ(ncclCommDestroy(own.comm), ncclSuccess);
      });
    });
}

/// In the order in which streams do nothing before somebody waits, a missing event shows for certain, to who waits
/// first.
template <class Run>
void expect_missing_events_to_show(const Run& run) {
  simt::stream_order = 1;
  for (const WithoutEvent without : {WithoutEvent::kOpsWait, WithoutEvent::kMessagesWait})
    run(2, [&](Rank& own) {
      const int right = right_rounds(own, without);
      if (own.rank == 0) {
        EXPECT_EQ(right, 0);
      }
      own.meet();
      EXPECT_EQ(ncclCommDestroy(own.comm), ncclSuccess);
    });
  simt::stream_order = 0;
}

// Ops that wait for messages which never come must not go on with what is there instead.
template <class Run>
void expect_failing_ops_behind_an_exchange_that_is_dropped(const Run& run) {
  for_each_stream_order<Cuda>([&] {
    run(2, [](Rank& own) {
      auto* const messages = static_cast<cudaStream_t>(own.gpu.upload_stream());
      const Buffer<Cuda, int> read(own.gpu, 1, 8);
      Event<Cuda> arrived(own.gpu);
      own.gpu.synchronize();
      if (own.rank == 0) {
        EXPECT_EQ(own.exchange(own.sent, own.received, messages), ncclSuccess);
        arrived.record(Queue::kUploads);
        wait_for(Queue::kOps, arrived);
        const int* received = own.received.span().data();
        launch(own.gpu, {}, copy_kernel, received, read.span().data(), 8);
        EXPECT_EQ(ncclCommAbort(own.comm), ncclSuccess);
      }
      EXPECT_EQ(stream_error(own.gpu), own.rank == 0 ? "simulated NCCL: rank 0 of 2 has aborted" : "none");
      EXPECT_EQ(read.span()[7], 0);
      own.meet();
    });
  });
}

template <class Run>
void expect_failing_streams_that_wait_for_a_rank_that_has_left(const Run& run) {
  for_each_stream_order<Cuda>([&] {
    for (const bool aborts : {true, false})
      run(2, [&](Rank& own) {
        if (own.rank == 1) {
          EXPECT_EQ(aborts ? ncclCommAbort(own.comm) : ncclCommDestroy(own.comm), ncclSuccess);
        }
        own.meet();
        if (own.rank == 1) return;
        ncclResult_t error{};
        for (int times = 0; times < 1000 && error == ncclSuccess; ++times) {  // until a process has heard of it
          EXPECT_EQ(ncclCommGetAsyncError(own.comm, &error), ncclSuccess);
          if (!aborts) break;
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        EXPECT_EQ(error, aborts ? ncclRemoteError : ncclSuccess);
        EXPECT_EQ(own.exchange(), ncclSuccess);
        for (int times = 0; times < 2; ++times)
          EXPECT_EQ(stream_error(own.gpu), "simulated NCCL: rank 0 of 2 waits for rank 1, which has left");
      });
  });
}

template <class Run>
void expect_exchanges_of_an_aborting_rank_to_be_dropped(const Run& run) {
  for_each_stream_order<Cuda>(
      [&] {
        run(3, [&](Rank& own) {
          if (own.rank < 2) {
            EXPECT_EQ(own.exchange(), ncclSuccess);
          }
          own.meet();
          if (own.rank == 0) {
            EXPECT_EQ(ncclCommAbort(own.comm), ncclSuccess);
          }
          own.meet();
          if (own.rank == 2) {
            EXPECT_EQ(own.exchange(), ncclSuccess);
          }
          own.meet();
          if (own.rank != 1) {
            EXPECT_EQ(stream_error(own.gpu), "simulated NCCL: rank 0 of 3 has aborted");
          }
        });
      },
      kOrdersWithoutBuffers);
}

}  // namespace sparsepush
