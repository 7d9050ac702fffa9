// The stand-in for NCCL delivers late and in odd orders, and shows who waits for ever.
#include "tests/simt/nccl.h"

#include <gtest/gtest.h>

#include <barrier>
#include <map>
#include <string>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/backend/cuda_launch.h"
#include "tests/backends.h"
#include "tests/simt/nccl_ranks.h"

namespace sparsepush {
namespace {

TEST(SimulatedNccl, BringsEveryMessageToItsPlace) {
  for (const int ranks : {1, 2, 3, 5})
    for_each_stream_order<Cuda>([ranks] {
      run_ranks(ranks, [](Rank& own) {
        for (int turn = 0; turn < 3; ++turn) EXPECT_EQ(own.exchange(), ncclSuccess);
        std::vector<int> expected(4 * own.ranks);
        for (int from = 0; from < own.ranks; ++from)
          for (int i = 0; i < 4 && from != own.rank; ++i) expected[4 * from + i] = 100 * from + 10 * own.rank + i;
        EXPECT_EQ(own.received.to_host(), expected);
        EXPECT_EQ(ncclCommDestroy(own.comm), ncclSuccess);
      });
    });
}

TEST(SimulatedNccl, MatchesMessagesOfTwoRanksInTheirOrder) {
  for_each_stream_order<Cuda>([] {
    run_ranks(2, [](Rank& own) {
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
    });
  });
}

void copy_kernel(const int* from, int* to) {
  for (int i = 0; i < 4; ++i) to[i] = from[i];
}

TEST(SimulatedNccl, DeliversWhenAStreamIsWaitedForAndKeepsItsOrder) {
  for_each_stream_order<Cuda>([] {
    std::barrier meeting(2);
    run_ranks(2, [&](Rank& own) {
      const int other = 1 - own.rank;
      const Buffer<Cuda, int> before(own.gpu, 1, 4), after(own.gpu, 1, 4);
      own.gpu.synchronize();
      const int* received = own.received.view().row(other);
      launch(own.gpu, {}, copy_kernel, received, before.span().data());
      EXPECT_EQ(own.exchange(), ncclSuccess);
      launch(own.gpu, {}, copy_kernel, received, after.span().data());
      meeting.arrive_and_wait();
      if (simt::stream_order == 1) {
        EXPECT_EQ(received[0], 0);
      }
      meeting.arrive_and_wait();
      EXPECT_EQ(before.to_host(), (std::vector{0, 0, 0, 0}));
      const int first = 100 * other + 10 * own.rank;
      EXPECT_EQ(after.to_host(), (std::vector{first, first + 1, first + 2, first + 3}));
      own.gpu.synchronize();
    });
  });
}

TEST(SimulatedNccl, FillsMemoryThatIsToBeReceived) {
  simt::stream_order = 0;
  std::barrier meeting(2);
  run_ranks(2, [&](Rank& own) {
    if (own.rank == 0) {
      EXPECT_EQ(own.exchange(), ncclSuccess);
      EXPECT_EQ(own.received.view().row(1)[3], -1);
    }
    meeting.arrive_and_wait();
    if (own.rank == 1) {
      EXPECT_EQ(own.exchange(), ncclSuccess);
    }
    EXPECT_EQ(stream_error(own.gpu), "none");
    if (own.rank == 0) {
      EXPECT_EQ(own.received.view().row(1)[3], 103);
    }
  });
}

// The first shows which messages have arrived when the last has not; NCCL promises no order between peers.
TEST(SimulatedNccl, DeliversThePeersMessagesInSeveralOrders) {
  std::map<int, int> first;  // sender of the first message that arrived -> how often
  for (int turn = 0; turn < 40; ++turn) {
    simt::stream_order = 2 + turn;
    run_alone([&](Rank& own) {
      const Buffer<Cuda, int> to(own.gpu, 4, 4);
      own.gpu.synchronize();
      ncclGroupStart();
      for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(ncclSend(own.sent.span().data(), 4, ncclInt32, 0, own.comm, stream_of(own.gpu)), ncclSuccess);
        EXPECT_EQ(ncclRecv(to.view().row(i), 4, ncclInt32, 0, own.comm, stream_of(own.gpu)), ncclSuccess);
      }
      EXPECT_EQ(ncclGroupEnd(), ncclSuccess);
      auto* const stream = stream_of(own.gpu);
      const auto arrived = [&] {
        int count = 0;
        for (int i = 0; i < 4; ++i) count += to.view().row(i)[0] == 0 && to.view().row(i)[1] == 1;
        return count;
      };
      while (stream->has_work() && arrived() == 0) stream->advance();
      if (arrived() == 1)
        for (int i = 0; i < 4; ++i) first[i] += to.view().row(i)[1] == 1;
      own.gpu.synchronize();
      EXPECT_EQ(arrived(), 4);
    });
  }
  EXPECT_EQ(first.size(), 4u);
  simt::stream_order = 0;
}

// Both send a long message and then a short one; the receiver awaits the short one first.
TEST(SimulatedNccl, ShowsStreamsThatWaitForEachOther) {
  simt::stream_order = 1;
  std::barrier meeting(2);
  run_ranks(2, [&](Rank& own) {
    const int other = 1 - own.rank;
    for (const bool sends : {true, false}) {  // both send first: they would hang if messages were long
      ncclGroupStart();
      EXPECT_EQ(sends ? own.send(other) : own.receive(other), ncclSuccess);
      EXPECT_EQ(ncclGroupEnd(), ncclSuccess);
    }
    meeting.arrive_and_wait();
    EXPECT_EQ(stream_error(own.gpu), "simt: streams wait for each other");
  });
  simt::stream_order = 0;
}

TEST(SimulatedNccl, FailsStreamsThatWaitForARankThatHasLeft) {
  for_each_stream_order<Cuda>([] {
    for (const bool aborts : {true, false}) {
      std::barrier meeting(2);
      run_ranks(2, [&](Rank& own) {
        if (own.rank == 1) {
          EXPECT_EQ(aborts ? ncclCommAbort(own.comm) : ncclCommDestroy(own.comm), ncclSuccess);
        }
        meeting.arrive_and_wait();
        if (own.rank == 1) return;
        ncclResult_t error{};
        EXPECT_EQ(ncclCommGetAsyncError(own.comm, &error), ncclSuccess);
        EXPECT_EQ(error, aborts ? ncclRemoteError : ncclSuccess);
        EXPECT_EQ(own.exchange(), ncclSuccess);
        for (int times = 0; times < 2; ++times)
          EXPECT_EQ(stream_error(own.gpu), "simulated NCCL: rank 0 of 2 waits for rank 1, which has left");
      });
    }
  });
}

TEST(SimulatedNccl, DropsTheExchangesOfARankThatAborts) {
  for_each_stream_order<Cuda>(
      [] {
        std::barrier meeting(3);
        run_ranks(3, [&](Rank& own) {
          if (own.rank < 2) {
            EXPECT_EQ(own.exchange(), ncclSuccess);
          }
          meeting.arrive_and_wait();
          if (own.rank == 0) {
            EXPECT_EQ(ncclCommAbort(own.comm), ncclSuccess);
          }
          meeting.arrive_and_wait();
          if (own.rank == 0) {
            EXPECT_EQ(stream_error(own.gpu), "none");
          }
          if (own.rank == 2) {
            EXPECT_EQ(own.exchange(), ncclSuccess);
          }
          meeting.arrive_and_wait();
          if (own.rank == 2) {
            EXPECT_EQ(stream_error(own.gpu), "simulated NCCL: rank 0 of 3 has aborted");
          }
        });
      },
      kOrdersWithoutBuffers);
}

}  // namespace
}  // namespace sparsepush
