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
#include "tests/simt/nccl_cases.h"
#include "tests/simt/nccl_ranks.h"

namespace sparsepush {
namespace {

TEST(SimulatedNccl, BringsEveryMessageToItsPlace) { expect_every_message_in_its_place(run_ranks); }
TEST(SimulatedNccl, MatchesMessagesOfTwoRanksInTheirOrder) { expect_messages_of_two_ranks_in_their_order(run_ranks); }
TEST(SimulatedNccl, DeliversWhenAStreamIsWaitedForAndKeepsItsOrder) {
  expect_delivery_when_a_stream_is_waited_for(run_ranks);
}
TEST(SimulatedNccl, LetsStreamsGoOnOfRanksThatDoNotWait) { expect_progress_of_ranks_that_do_not_wait(run_ranks); }
TEST(SimulatedNccl, ExchangesOnAStreamOfTheirOwnKeepToEvents) {
  expect_exchanges_between_ops_of_another_stream(run_ranks);
}
TEST(SimulatedNccl, ShowsAMissingEvent) { expect_missing_events_to_show(run_ranks); }
TEST(SimulatedNccl, FailsStreamsThatWaitForARankThatHasLeft) {
  expect_failing_streams_that_wait_for_a_rank_that_has_left(run_ranks);
}
TEST(SimulatedNccl, FailsOpsBehindAnExchangeThatIsDropped) {
  expect_failing_ops_behind_an_exchange_that_is_dropped(run_ranks);
}
TEST(SimulatedNccl, DropsTheExchangesOfARankThatAborts) {
  expect_exchanges_of_an_aborting_rank_to_be_dropped(run_ranks);
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

}  // namespace
}  // namespace sparsepush
