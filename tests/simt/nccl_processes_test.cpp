// The stand-in for NCCL between processes.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/backend/cuda_launch.h"
#include "tests/simt/nccl_cases.h"
#include "tests/simt/nccl_ranks.h"

namespace sparsepush {
namespace {

/// Where processes meet.
class Meeting {
 public:
  explicit Meeting(int count) {
    pthread_barrierattr_t shared;
    pthread_barrierattr_init(&shared);
    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(barrier_, &shared, static_cast<unsigned>(count));
  }
  ~Meeting() { munmap(barrier_, sizeof *barrier_); }
  Meeting(const Meeting&) = delete;
  void meet() { pthread_barrier_wait(barrier_); }

 private:
  pthread_barrier_t* barrier_ = static_cast<pthread_barrier_t*>(
      mmap(nullptr, sizeof *barrier_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
};

constexpr unsigned kMostSeconds = 60;

/// Starts a process that does `work`, and fails if a test within it does or it takes too long.
pid_t start(const std::function<void()>& work) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child != 0) return child;
  alarm(kMostSeconds);
  work();
  std::fflush(nullptr);
  _exit(testing::Test::HasFailure() ? 1 : 0);
}

void expect_good_end(pid_t child) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

/// Calls body(rank) in a process for each rank.
void run_processes(int ranks, const std::function<void(Rank&)>& body) {
  ncclUniqueId id{};
  EXPECT_EQ(ncclGetUniqueId(&id), ncclSuccess);
  Meeting meeting(ranks);
  std::vector<pid_t> children;
  for (int r = 0; r < ranks; ++r)
    children.push_back(start([&, r] {
      Rank rank(id, ranks, r, [&] { meeting.meet(); });
      body(rank);
      ncclCommAbort(rank.comm);  // unless it has left: nobody waits for it
    }));
  for (const pid_t child : children) expect_good_end(child);
}

TEST(SimulatedNcclOfProcesses, BringsEveryMessageToItsPlace) { expect_every_message_in_its_place(run_processes); }
TEST(SimulatedNcclOfProcesses, MatchesMessagesOfTwoRanksInTheirOrder) {
  expect_messages_of_two_ranks_in_their_order(run_processes);
}
TEST(SimulatedNcclOfProcesses, DeliversWhenAStreamIsWaitedForAndKeepsItsOrder) {
  expect_delivery_when_a_stream_is_waited_for(run_processes);
}
TEST(SimulatedNcclOfProcesses, LetsStreamsGoOnOfRanksThatDoNotWait) {
  expect_progress_of_ranks_that_do_not_wait(run_processes);
}
TEST(SimulatedNcclOfProcesses, ExchangesOnAStreamOfTheirOwnKeepToEvents) {
  expect_exchanges_between_ops_of_another_stream(run_processes);
}
TEST(SimulatedNcclOfProcesses, ShowsAMissingEvent) { expect_missing_events_to_show(run_processes); }
TEST(SimulatedNcclOfProcesses, FailsStreamsThatWaitForARankThatHasLeft) {
  expect_failing_streams_that_wait_for_a_rank_that_has_left(run_processes);
}
TEST(SimulatedNcclOfProcesses, FailsOpsBehindAnExchangeThatIsDropped) {
  expect_failing_ops_behind_an_exchange_that_is_dropped(run_processes);
}
TEST(SimulatedNcclOfProcesses, DropsTheExchangesOfARankThatAborts) {
  expect_exchanges_of_an_aborting_rank_to_be_dropped(run_processes);
}

// More than a socket holds, in all directions at once.
TEST(SimulatedNcclOfProcesses, BringsLongMessages) {
  constexpr int kColumns = 1 << 20;
  for_each_stream_order<Cuda>(
      [] {
        run_processes(3, [](Rank& own) {
          std::vector<int> values(3 * kColumns), expected(3 * kColumns);
          for (int i = 0; i < 3 * kColumns; ++i) {
            values[i] = own.rank * 3 * kColumns + i;
            if (const int from = i / kColumns; from != own.rank)
              expected[i] = (from * 3 + own.rank) * kColumns + i % kColumns;
          }
          const Buffer<Cuda, int> sent(own.gpu, 3, kColumns, values), received(own.gpu, 3, kColumns);
          own.gpu.synchronize();
          EXPECT_EQ(own.exchange(sent, received, stream_of(own.gpu)), ncclSuccess);
          EXPECT_TRUE(received.to_host() == expected);
          EXPECT_EQ(ncclCommDestroy(own.comm), ncclSuccess);
        });
      },
      4);
}

// Where calls cross, both streams fail.
TEST(SimulatedNcclOfProcesses, RefusesAMessageOfOtherSizeThanIsAwaited) {
  for_each_stream_order<Cuda>(
      [] {
        for (const int first : {0, 1, 2})
          run_processes(2, [&](Rank& own) {
            if (own.rank == 1 - first) own.meet();  // 2: both at once
            ncclGroupStart();
            EXPECT_EQ(own.rank == 0 ? own.send(1, 3) : own.receive(0, 4), ncclSuccess);
            const ncclResult_t result = ncclGroupEnd();
            const std::string error = own.error();
            if (own.rank == first) {
              EXPECT_EQ(result, ncclSuccess);
              own.meet();
            }
            EXPECT_EQ(result == ncclSuccess ? stream_error(own.gpu) : error,
                      "simulated NCCL: message 0 from rank 0 to rank 1 of 2 has 3 elements of type 2, awaited are 4 of "
                      "type 2");
            own.meet();
          });
      },
      kOrdersWithoutBuffers);
}

TEST(SimulatedNcclOfProcesses, RefusesASendOutsideOfAGroupUnlessItKnowsOfItsReceiver) {
  run_processes(2, [](Rank& own) {
    if (own.rank == 0) {
      EXPECT_EQ(own.send(1), ncclInvalidUsage);
      EXPECT_EQ(own.error(), "simulated NCCL: ncclSend outside of a group, which would wait for rank 1 of 2");
      own.meet();
      ncclResult_t result = ncclInvalidUsage;
      for (int times = 0; times < 10'000 && result != ncclSuccess; ++times) {
        result = own.send(1);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      EXPECT_EQ(result, ncclSuccess);
      own.gpu.synchronize();
    } else {
      own.meet();
      ncclGroupStart();
      EXPECT_EQ(own.receive(0), ncclSuccess);
      EXPECT_EQ(ncclGroupEnd(), ncclSuccess);
      EXPECT_EQ(own.received.to_host()[3], 13);
    }
    EXPECT_EQ(ncclCommDestroy(own.comm), ncclSuccess);
  });
}

TEST(SimulatedNcclOfProcesses, RefusesRanksThatDoNotFit) {
  ncclUniqueId id{};
  ncclGetUniqueId(&id);
  const auto join = [&](int ranks, int rank) {
    ncclComm_t comm = nullptr;
    const ncclResult_t result = ncclCommInitRank(&comm, ranks, id, rank);
    return result == ncclSuccess ? "none" : std::string(ncclGetLastError(comm));
  };
  std::vector<pid_t> children;
  for (const int rank : {0, 1})
    children.push_back(start(
        [&, rank] { EXPECT_EQ(join(2 + rank, rank), "simulated NCCL: ranks that do not agree how many they are"); }));
  for (const pid_t child : children) expect_good_end(child);
  for (int twice = 0; twice < 2; ++twice)
    children.at(twice) = start([&] { EXPECT_EQ(join(2, 0), "simulated NCCL: rank 0 of 2 is there already"); });
  int status = 0;
  const pid_t ended = waitpid(-1, &status, 0);  // the other one waits for rank 1
  EXPECT_EQ(status, 0);
  for (const pid_t child : children)
    if (child != ended) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
  ncclUniqueId unknown{};
  ncclComm_t comm = nullptr;
  EXPECT_EQ(ncclCommInitRank(&comm, 1, unknown, 0), ncclInvalidArgument);
}

}  // namespace
}  // namespace sparsepush
