// The stand-in for NCCL refuses what would hang, or bring wrong bytes, with NCCL.
#include <gtest/gtest.h>

#include <barrier>
#include <string>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/backend/cuda_launch.h"
#include "tests/backends.h"
#include "tests/simt/nccl_ranks.h"

namespace sparsepush {
namespace {

TEST(SimulatedNccl, RefusesASendOrReceiveOutsideOfAGroupThatWouldWait) {
  run_alone([](Rank& own) {
    EXPECT_EQ(own.send(0), ncclInvalidUsage);
    EXPECT_EQ(own.error(), "simulated NCCL: ncclSend outside of a group, which would wait for rank 0 of 1");
    EXPECT_EQ(own.receive(0), ncclInvalidUsage);
    EXPECT_EQ(own.error(), "simulated NCCL: ncclRecv outside of a group, which would wait for rank 0 of 1");
  });
  std::barrier meeting(2);
  run_ranks(2, [&](Rank& own) {
    if (own.rank == 1) {
      ncclGroupStart();
      EXPECT_EQ(own.receive(0), ncclSuccess);
      EXPECT_EQ(ncclGroupEnd(), ncclSuccess);
    }
    meeting.arrive_and_wait();
    if (own.rank == 0) {
      EXPECT_EQ(own.send(1), ncclSuccess) << "which is awaited";
    }
    own.gpu.synchronize();
    if (own.rank == 1) {
      EXPECT_EQ(own.received.to_host()[3], 13);
    }
  });
}

TEST(SimulatedNccl, RefusesAMessageOfOtherSizeThanIsAwaited) {
  for_each_stream_order<Cuda>(
      [] {
        std::barrier meeting(2);
        run_ranks(2, [&](Rank& own) {
          if (own.rank == 1) meeting.arrive_and_wait();
          ncclGroupStart();
          EXPECT_EQ(own.rank == 0 ? own.send(1, 3) : own.receive(0, 4), ncclSuccess);
          EXPECT_EQ(ncclGroupEnd(), own.rank == 0 ? ncclSuccess : ncclInvalidUsage);
          const std::string error = own.error();
          if (own.rank == 0) meeting.arrive_and_wait();
          meeting.arrive_and_wait();
          const std::string expected =
              "simulated NCCL: message 0 from rank 0 to rank 1 of 2 has 3 elements of type 2, awaited are 4 of type 2";
          EXPECT_EQ(own.rank == 0 ? stream_error(own.gpu) : error, expected);
          EXPECT_EQ(own.rank == 1 ? stream_error(own.gpu) : "none", "none");
        });
      },
      kOrdersWithoutBuffers);
}

TEST(SimulatedNccl, RefusesMessagesThatAreAwaitedInAnotherOrder) {
  std::barrier meeting(2);
  run_ranks(2, [&](Rank& own) {
    if (own.rank == 1) meeting.arrive_and_wait();
    ncclGroupStart();
    for (const int count : own.rank == 0 ? std::vector{3, 1} : std::vector{1, 3})
      EXPECT_EQ(own.rank == 0
                    ? own.send(1, count)
                    : ncclRecv(own.received.view().row(count == 1), count, ncclInt32, 0, own.comm, stream_of(own.gpu)),
                ncclSuccess);
    EXPECT_EQ(ncclGroupEnd(), own.rank == 0 ? ncclSuccess : ncclInvalidUsage);
    if (own.rank == 0) meeting.arrive_and_wait();
    if (own.rank == 1) {
      EXPECT_EQ(own.error().substr(0, 57), "simulated NCCL: message 0 from rank 0 to rank 1 of 2 has ");
    }
    meeting.arrive_and_wait();
    if (own.rank == 0) {
      EXPECT_NE(stream_error(own.gpu), "none");
    }
  });
}

TEST(SimulatedNccl, RefusesOverlappingMemoryInAGroup) {
  run_alone([](Rank& own) {
    int* const memory = own.received.span().data();
    const auto exchange = [&](int* sent, int* received) {
      ncclGroupStart();
      EXPECT_EQ(ncclSend(sent, 2, ncclInt32, 0, own.comm, stream_of(own.gpu)), ncclSuccess);
      EXPECT_EQ(ncclRecv(received, 2, ncclInt32, 0, own.comm, stream_of(own.gpu)), ncclSuccess);
      return ncclGroupEnd();
    };
    EXPECT_EQ(exchange(memory, memory + 1), ncclInvalidUsage);
    EXPECT_EQ(own.error(), "simulated NCCL: memory of two calls of a group overlaps");
    EXPECT_EQ(exchange(memory + 1, memory), ncclInvalidUsage);
    EXPECT_EQ(exchange(memory, memory + 2), ncclSuccess);
    ncclGroupStart();
    for (const int offset : {0, 1}) {
      EXPECT_EQ(ncclSend(own.sent.span().data(), 2, ncclInt32, 0, own.comm, stream_of(own.gpu)), ncclSuccess);
      EXPECT_EQ(ncclRecv(memory + offset, 2, ncclInt32, 0, own.comm, stream_of(own.gpu)), ncclSuccess);
    }
    EXPECT_EQ(ncclGroupEnd(), ncclInvalidUsage) << "two receives; the same may be sent twice";
    own.gpu.synchronize();
  });
}

TEST(SimulatedNccl, RefusesMemoryThatAnExchangeOfAnotherStreamUses) {
  simt::stream_order = 1;
  run_alone([](Rank& own) {
    auto* const uploads = static_cast<cudaStream_t>(own.gpu.upload_stream());
    const Buffer<Cuda, int> other(own.gpu, 1, 4);
    const auto exchange = [&](const int* sent, int* received, cudaStream_t stream) {
      ncclGroupStart();
      EXPECT_EQ(ncclSend(sent, 4, ncclInt32, 0, own.comm, stream), ncclSuccess);
      EXPECT_EQ(ncclRecv(received, 4, ncclInt32, 0, own.comm, stream), ncclSuccess);
      return ncclGroupEnd();
    };
    const int* sent = own.sent.span().data();
    int* received = own.received.span().data();
    EXPECT_EQ(exchange(sent, received, stream_of(own.gpu)), ncclSuccess);
    EXPECT_EQ(exchange(sent, received, stream_of(own.gpu)), ncclSuccess) << "in the order of the stream";
    EXPECT_EQ(exchange(sent, received, uploads), ncclInvalidUsage);
    EXPECT_EQ(own.error(), "simulated NCCL: memory that a pending exchange of another stream uses");
    own.gpu.synchronize();
    EXPECT_EQ(exchange(sent, received, uploads), ncclSuccess);
    uploads->synchronize();
  });
  simt::stream_order = 0;
}

TEST(SimulatedNccl, ShowsCopiesAndFreedMemoryInTheMiddleOfAnExchange) {
  std::barrier meeting(2);
  run_ranks(2, [&](Rank& own) {
    if (own.rank == 0) {
      EXPECT_EQ(own.exchange(), ncclSuccess);
      int* const received = own.received.view().row(1);
      int* const sent = own.sent.view().row(1);
      auto* const uploads = static_cast<cudaStream_t>(own.gpu.upload_stream());
      int* const pinned = static_cast<int*>(allocate_pinned(own.gpu, sizeof(int)));
      EXPECT_THROW(upload(own.gpu, received, pinned, sizeof(int)), simt::Error);
      EXPECT_THROW(upload(own.gpu, sent, pinned, sizeof(int)), simt::Error);
      EXPECT_NO_THROW(cudaMemcpyAsync(pinned, sent, sizeof(int), cudaMemcpyDefault, uploads)) << "both read";
      EXPECT_THROW(cudaMemcpyAsync(pinned, received, sizeof(int), cudaMemcpyDefault, uploads), simt::Error);
      EXPECT_THROW(cudaMemsetAsync(sent, 0, sizeof(int), uploads), simt::Error);
      EXPECT_THROW(cudaFreeAsync(own.received.span().data(), uploads), simt::Error);
      EXPECT_THROW(cudaFreeAsync(own.sent.span().data(), uploads), simt::Error);
      EXPECT_NO_THROW(upload(own.gpu, own.sent.view().row(0), pinned, sizeof(int))) << "a row that is not sent";
      release_pinned(pinned);
    }
    meeting.arrive_and_wait();
    if (own.rank == 1) {
      EXPECT_EQ(own.exchange(), ncclSuccess);
    }
    own.gpu.synchronize();
  });
}

TEST(SimulatedNccl, RefusesCallsWhileWorkIsRecorded) {
  run_alone([](Rank& own) {
    ASSERT_EQ(cudaStreamBeginCapture(stream_of(own.gpu), cudaStreamCaptureModeThreadLocal), cudaSuccess);
    EXPECT_EQ(own.exchange(), ncclSuccess) << "without messages";
    ncclGroupStart();
    EXPECT_EQ(own.send(0), ncclInvalidArgument);
    EXPECT_EQ(own.error(), "simulated NCCL: a call while work is recorded");
    EXPECT_EQ(ncclGroupEnd(), ncclInvalidArgument) << "as the call";
    cudaGraph_t graph = nullptr;
    ASSERT_EQ(cudaStreamEndCapture(stream_of(own.gpu), &graph), cudaSuccess);
    cudaGraphDestroy(graph);
  });
}

TEST(SimulatedNccl, RefusesRanksThatAreNotThere) {
  run_alone([](Rank& own) {
    for (const int peer : {-1, 1}) {
      ncclGroupStart();
      EXPECT_EQ(ncclSend(own.sent.span().data(), 4, ncclInt32, peer, own.comm, stream_of(own.gpu)),
                ncclInvalidArgument);
      EXPECT_EQ(own.error(), "simulated NCCL: a peer that is rank " + std::to_string(peer) + " of 1");
      EXPECT_EQ(ncclGroupEnd(), ncclInvalidArgument);
    }
  });
  ncclUniqueId id{}, unknown{};
  ncclGetUniqueId(&id);
  ncclComm_t comm = nullptr;
  EXPECT_EQ(ncclCommInitRank(&comm, 2, id, 2), ncclInvalidArgument);
  EXPECT_EQ(ncclCommInitRank(&comm, 2, id, -1), ncclInvalidArgument);
  EXPECT_EQ(ncclCommInitRank(&comm, 1, unknown, 0), ncclInvalidArgument);
  EXPECT_EQ(ncclCommInitRank(&comm, 1, id, 0), ncclSuccess);
  EXPECT_EQ(ncclCommInitRank(&comm, 1, id, 0), ncclInvalidArgument);
  EXPECT_EQ(std::string(ncclGetLastError(comm)), "simulated NCCL: rank 0 of 1 is there already");
  EXPECT_EQ(ncclCommInitRank(&comm, 2, id, 1), ncclInvalidArgument);
  EXPECT_EQ(std::string(ncclGetLastError(comm)), "simulated NCCL: ranks that do not agree how many they are");
}

TEST(SimulatedNccl, RefusesMemoryOfTheHost) {
  run_alone([](Rank& own) {
    std::vector<int> values(4);
    ncclGroupStart();
    EXPECT_EQ(ncclSend(values.data(), 4, ncclInt32, 0, own.comm, stream_of(own.gpu)), ncclInvalidArgument);
    EXPECT_EQ(own.error(), "simulated NCCL: memory that is not the GPU's");
    EXPECT_EQ(ncclRecv(own.received.span().data() + 3, 1 << 20, ncclInt32, 0, own.comm, stream_of(own.gpu)),
              ncclInvalidArgument);
    EXPECT_EQ(ncclGroupEnd(), ncclInvalidArgument);
    EXPECT_EQ(ncclGroupEnd(), ncclInvalidUsage);
    EXPECT_EQ(own.error(), "simulated NCCL: the end of a group that has not begun");
  });
}

TEST(SimulatedNccl, RefusesToUseACommunicatorThatWasDestroyedOrToDestroyOneThatIsUsed) {
  simt::stream_order = 1;
  run_alone([](Rank& own) {
    ncclGroupStart();
    EXPECT_EQ(own.send(0), ncclSuccess);
    EXPECT_EQ(own.receive(0), ncclSuccess);
    EXPECT_EQ(ncclGroupEnd(), ncclSuccess);
    EXPECT_EQ(ncclCommDestroy(own.comm), ncclInvalidUsage);
    EXPECT_EQ(own.error(), "simulated NCCL: a communicator destroyed while an exchange is pending");
    own.gpu.synchronize();
    EXPECT_EQ(ncclCommDestroy(own.comm), ncclSuccess);
    ncclGroupStart();
    EXPECT_EQ(own.send(0), ncclInvalidArgument);
    EXPECT_EQ(own.error(), "simulated NCCL: a communicator that does not exist, or no more");
    EXPECT_EQ(ncclGroupEnd(), ncclInvalidArgument);
    EXPECT_EQ(ncclCommDestroy(own.comm), ncclInvalidArgument);
    EXPECT_EQ(ncclCommAbort(own.comm), ncclInvalidArgument);
    ncclResult_t error{};
    EXPECT_EQ(ncclCommGetAsyncError(own.comm, &error), ncclInvalidArgument);
  });
  simt::stream_order = 0;
}

}  // namespace
}  // namespace sparsepush
