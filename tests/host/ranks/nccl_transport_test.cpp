#include "host/ranks/nccl_transport.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "host/transports/run_shards.h"
#include "tests/backends.h"
#include "tests/host/outcome.h"
#include "tests/host/transports/transport_cases.h"

#if SPARSEPUSH_SIMULATED_CUDA
#include "tests/simt/nccl.h"
#endif

namespace sparsepush {
namespace {

/// On a real GPU there is one rank: NCCL wants a GPU for each, and the shards here are threads with the same one.
std::vector<int> shard_counts() { return kSimulatedCuda ? std::vector{1, 2, 3, 7} : std::vector{1}; }

class NcclTransportTest : public BackendTest<Cuda> {
 protected:
  void SetUp() override {
    BackendTest<Cuda>::SetUp();
    if (!nccl_is_available()) GTEST_SKIP() << "built without NCCL";
  }
};

/// Calls expect(run) for several numbers of shards and orders of streams.
template <class Expect>
void for_each_count(const Expect& expect, unsigned orders = 8) {
  for (const int shards : shard_counts()) {
    SCOPED_TRACE(shards);
    for_each_stream_order<Cuda>(
        [&] {
          expect([shards](int replicas, int nodes, const auto& body) {
            run_shards<Cuda>(shards, replicas, nodes, [&](Transport<Cuda>& control) {
              const Cuda gpu;
              NcclTransport transport(control, gpu);
              body(gpu, static_cast<Transport<Cuda>&>(transport));
            });
          });
        },
        orders);
  }
}

TEST_F(NcclTransportTest, ExchangeBringsEveryRequestedRow) {
  for_each_count([](const auto& run) { expect_every_requested_row(run); });
}
TEST_F(NcclTransportTest, PeersMayChangeFromRoundToRound) {
  for_each_count([](const auto& run) { expect_rows_of_changing_peers(run); });
}
TEST_F(NcclTransportTest, RowsMayChangeBehindAnExchange) {
  for_each_count([](const auto& run) { expect_rows_as_they_were_sent(run); });
}
TEST_F(NcclTransportTest, ShardsWorkWhileRowsTravel) {
  for_each_count([](const auto& run) { expect_work_while_rows_travel(run); });
}
TEST_F(NcclTransportTest, SumsRunInNodeOrder) {
  for_each_count([](const auto& run) { expect_sums_in_node_order(run); }, 1);
}
TEST_F(NcclTransportTest, LongSumsArriveWhole) {
  for_each_count([](const auto& run) { expect_long_sums(run); }, 1);
}
TEST_F(NcclTransportTest, GatherJoinsRowsInGlobalOrder) {
  for_each_count([](const auto& run) { expect_rows_gathered_in_global_order(run); }, 1);
}
TEST_F(NcclTransportTest, BroadcastIsShardZerosValue) {
  for_each_count([](const auto& run) { expect_broadcasts_of_shard_zero(run); }, 1);
}
TEST_F(NcclTransportTest, SentBytesArriveInTheirOrder) {
  for_each_count([](const auto& run) { expect_sent_bytes(run); }, 1);
}
TEST_F(NcclTransportTest, AFailingShardReleasesTheOthersAndTellsWhy) {
  for_each_count([](const auto& run) { expect_failure_of_the_last_shard(run); });
}

/// One array of one node a shard, whose row has the shard's number in every element; every shard receives all others'
/// rows.
struct Numbers {
  Numbers(const Cuda& gpu, const Shard& shard, int columns)
      : halo(halo_where(shard, [](int, int) { return true; })),
        sent(gpu, halo.sent),
        array(gpu, shard, halo.nodes.size(), columns, [](const NodeId& id, int) { return id.node; }) {
    halo.sent_there = sent.span();
  }
  void exchange(const Cuda& gpu, Transport<Cuda>& transport) const {
    const ExchangedArray arrays[] = {array.exchanged()};
    transport.exchange(gpu, arrays, halo);
  }
  Halo halo;
  Buffer<Cuda, std::int32_t> sent;
  TestedArray<Cuda, std::int32_t> array;
};

// On one real GPU too: the rank sends to itself.
TEST_F(NcclTransportTest, AShardMaySendToItself) {
  for_each_stream_order<Cuda>([] {
    run_shards<Cuda>(1, 2, 5, [](Transport<Cuda>& control) {
      const Cuda gpu;
      NcclTransport transport(control, gpu);
      const Shard& shard = transport.shard();
      const auto value = [](const NodeId& id, int c) { return 100.0f * id.replica + 10.0f * id.node + c; };
      for (const std::vector<std::int32_t>& rows : {std::vector{3, 0, 9, 4}, std::vector{7}, std::vector{1, 2}}) {
        const Buffer<Cuda, std::int32_t> sent(gpu, rows);
        const int count = static_cast<int>(rows.size());
        Halo halo{.nodes = {}, .sent = rows, .from = {count}, .to = {count}, .sent_there = sent.span()};
        std::vector<float> expected;
        for (const int row : rows) {
          halo.nodes.push_back(shard.id_of(row));
          for (int c = 0; c < 33; ++c) expected.push_back(value(shard.id_of(row), c));
        }
        const TestedArray<Cuda, float> array(gpu, shard, rows.size(), 33, value);
        const ExchangedArray arrays[] = {array.exchanged()};
        transport.exchange(gpu, arrays, halo);
        EXPECT_EQ(array.received(), expected);
      }
    });
  });
}

#if SPARSEPUSH_SIMULATED_CUDA

TEST_F(NcclTransportTest, NobodyWaitsForAGpu) {
  simt::stream_order = 1;  // streams do nothing before somebody waits for them
  run_shards<Cuda>(3, 1, 3, [](Transport<Cuda>& control) {
    const Cuda gpu;
    NcclTransport transport(control, gpu);
    const Numbers numbers(gpu, transport.shard(), 4);
    gpu.synchronize();
    const std::vector<std::int32_t> before = numbers.array.received();
    for (int i = 0; i < 3; ++i) numbers.exchange(gpu, transport);
    transport.barrier();
    const auto* halo = reinterpret_cast<const std::int32_t*>(numbers.array.exchanged().halo);
    EXPECT_EQ(std::vector(halo, halo + before.size()), before) << "nothing has been received";
    transport.barrier();
    EXPECT_NE(numbers.array.received(), before);
  });
  simt::stream_order = 0;
}

// Shard 1 sends nothing before shard 0's GPU has done what was put behind the start of the exchange.
TEST_F(NcclTransportTest, OpsBehindAStartWaitForNoMessage) {
  for_each_stream_order<Cuda>([] {
    run_shards<Cuda>(2, 1, 2, [](Transport<Cuda>& control) {
      const Cuda gpu;
      NcclTransport transport(control, gpu);
      const Numbers numbers(gpu, transport.shard(), 4);
      const ExchangedArray arrays[] = {numbers.array.exchanged()};
      const Buffer<Cuda, std::int32_t> work(gpu, 1, 4);
      const int own = transport.shard().index;
      if (own == 0) {
        transport.start_exchange(gpu, arrays, numbers.halo);
        copy_within(gpu, work.span().data(), arrays[0].local, work.span().size_bytes());
        EXPECT_EQ(work.to_host(), std::vector(4, 0));
      }
      control.barrier();
      if (own == 1) transport.start_exchange(gpu, arrays, numbers.halo);
      transport.finish_exchange();
      EXPECT_EQ(numbers.array.received(), std::vector(4, 1 - own));
    });
  });
}

TEST_F(NcclTransportTest, AnExchangeThatOutgrowsItsMemoryWaitsForThoseUnderWay) {
  for_each_stream_order<Cuda>([] {
    run_shards<Cuda>(2, 1, 2, [](Transport<Cuda>& control) {
      const Cuda gpu;
      NcclTransport transport(control, gpu);
      const Numbers small(gpu, transport.shard(), 4), large(gpu, transport.shard(), 20'000);
      small.exchange(gpu, transport);
      large.exchange(gpu, transport);
      small.exchange(gpu, transport);
      const int other = 1 - transport.shard().index;
      EXPECT_EQ(small.array.received(), std::vector(4, other));
      EXPECT_EQ(large.array.received(), std::vector(20'000, other));
    });
  });
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "no error";
}

TEST_F(NcclTransportTest, AnErrorSaysWhichShardGpuAndPeer) {
  std::vector<std::string> errors(2);
  run_shards<Cuda>(2, 1, 4, [&](Transport<Cuda>& control) {
    const Cuda gpu;
    NcclTransport transport(control, gpu);
    const Shard& shard = transport.shard();
    if (shard.index == 1) return;
    Numbers numbers(gpu, shard, 4);
    numbers.halo.to = {0, 0, 2};
    errors[0] = error_of([&] { numbers.exchange(gpu, transport); });
  });
  EXPECT_EQ(errors[0],
            "shard 0 of 2, on simulated GPU, ncclSend to shard 2: invalid argument (simulated); "
            "simulated NCCL: a peer that is rank 2 of 2");
}

TEST_F(NcclTransportTest, ShardsThatDoNotAgreeFail) {
  for_each_stream_order<Cuda>([] {
    std::vector<std::string> errors(2);
    run_shards<Cuda>(2, 1, 2, [&](Transport<Cuda>& control) {
      const Cuda gpu;
      NcclTransport transport(control, gpu);
      const int own = transport.shard().index;
      const Numbers numbers(gpu, transport.shard(), own == 0 ? 4 : 8);
      for (int turn = 0; turn < 2; ++turn) {  // one after the other
        if (own == turn) errors[own] = error_of([&] { numbers.exchange(gpu, transport); });
        transport.barrier();
      }
    });
    EXPECT_EQ(errors[0], "no error") << "when it was called";
    EXPECT_EQ(errors[1],
              "shard 1 of 2, on simulated GPU, ncclGroupEnd: invalid usage (simulated); simulated NCCL: message 0 from "
              "rank 1 to rank 0 of 2 has 32 elements of type 1, awaited are 16 of type 1");
  });
}

// Shard 2 fails before an exchange that the others have started. Who hears of it by the control transport drops the
// exchange, so that its memory can be freed.
TEST_F(NcclTransportTest, AShardThatHearsOfAFailureDropsItsExchange) {
  for_each_stream_order<Cuda>([] {
    const auto body = [](Transport<Cuda>& control) {
      const Cuda gpu;
      NcclTransport transport(control, gpu);
      const Numbers numbers(gpu, transport.shard(), 4);
      numbers.exchange(gpu, transport);
      if (transport.shard().index < 2) numbers.exchange(gpu, transport);
      control.barrier();
      if (transport.shard().index == 2) throw std::runtime_error("disk full");
      try {
        transport.barrier();
        ADD_FAILURE() << "met without the shard that failed";
      } catch (const TransportAborted&) {
        EXPECT_THROW(numbers.exchange(gpu, transport), TransportAborted);
        throw;
      }
    };
    EXPECT_EQ(error_of([&] { run_shards<Cuda>(3, 1, 3, body); }), "disk full");
  });
}

// Shard 0 has started an exchange that shard 1, which lives on, never joins.
TEST_F(NcclTransportTest, AShardThatUnwindsWaitsForNoExchange) {
  for (const bool hears : {true, false}) {
    LocalMeeting meeting(2);
    std::promise<void> gone;
    std::jthread other([&] {
      LocalTransport<Cuda> control(meeting, {1, 2, 1, 2});
      const Cuda gpu;
      const NcclTransport transport(control, gpu);
      if (hears) meeting.abort();
      EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
    });
    const auto fail = [&] {
      LocalTransport<Cuda> control(meeting, {0, 2, 1, 2});
      const Cuda gpu;
      const Numbers numbers(gpu, control.shard(), 4);
      NcclTransport transport(control, gpu);
      numbers.exchange(gpu, transport);
      if (!hears) throw std::runtime_error("disk full");
      transport.barrier();
    };
    EXPECT_EQ(error_of(fail), hears ? "another shard failed" : "disk full");
    gone.set_value();
  }
}

TEST_F(NcclTransportTest, TheEndWaitsForExchangesUnderWay) {
  ASSERT_EQ(simt::nccl_ranks(), 0) << "of the tests before";
  for_each_stream_order<Cuda>([] {
    run_shards<Cuda>(2, 1, 2, [](Transport<Cuda>& control) {
      const Cuda gpu;
      const Numbers numbers(gpu, control.shard(), 4);
      {
        NcclTransport transport(control, gpu);
        numbers.exchange(gpu, transport);
      }
      EXPECT_EQ(numbers.array.received(), std::vector(4, 1 - control.shard().index));
      if (control.shard().index == 1) {  // a thread that has called nothing else
        EXPECT_STREQ(ncclGetLastError(nullptr), "");
      }
    });
    EXPECT_EQ(simt::nccl_ranks(), 0);
  });
}

TEST_F(NcclTransportTest, AnExchangeAfterAnotherShardHasFailedSaysSo) {
  std::string error;
  run_shards<Cuda>(2, 1, 2, [&](Transport<Cuda>& control) {
    const Cuda gpu;
    const Numbers numbers(gpu, control.shard(), 4);
    const auto exchange = [&](const auto& then) {
      NcclTransport transport(control, gpu);
      numbers.exchange(gpu, transport);
      gpu.synchronize();
      then(transport);
    };
    if (control.shard().index == 1) {
      const auto fail = [](NcclTransport&) { throw std::runtime_error("disk full"); };
      EXPECT_EQ(error_of([&] { exchange(fail); }), "disk full");
      control.barrier();
    } else {
      exchange([&](NcclTransport& transport) {
        control.barrier();
        error = error_of([&] { numbers.exchange(gpu, transport); });
      });
    }
  });
  EXPECT_EQ(error,
            "shard 0 of 2, on simulated GPU, an exchange through NCCL: remote process exited or there was a network "
            "error (simulated); simulated NCCL: another rank has aborted");
}

#endif

// Whole runs.

constexpr int kNodes = 7, kSteps = 8, kFinalRounds = 3;

/// An emulator over NCCL, and what it stands on.
struct NcclEmulator {
  std::unique_ptr<NcclTransport> transport;
  std::unique_ptr<Emulator<Cuda>> emulator;
  Emulator<Cuda>& operator*() const { return *emulator; }
  Emulator<Cuda>* operator->() const { return emulator.get(); }
};

std::vector<Outcome> nccl_outcomes(Config config, int shards) {
  config.run.shards = shards;
  Experiment experiment(config);
  experiment.prepare_data();
  const auto make = [&](const Cuda& gpu, Transport<Cuda>& control) {
    NcclEmulator made{std::make_unique<NcclTransport>(control, gpu), nullptr};
    made.emulator = std::make_unique<Emulator<Cuda>>(gpu, experiment, *made.transport);
    return made;
  };
  return outcomes_of<Cuda>(experiment, make,
                           [&](Emulator<Cuda>& emulator) { advance(emulator, experiment.schedule().end()); });
}

std::vector<Outcome> one_shard_outcomes(Config config) {
  config.run.shards = 1;
  Experiment experiment(config);
  experiment.prepare_data();
  return outcomes_of<Cpu>(experiment, experiment.schedule().end());
}

TEST_F(NcclTransportTest, RunsHaveTheBitsOfOneShard) {
  const QuadraticFile file(kNodes, {1, 33, 20}, 1);
  struct Case {
    std::string algorithm, topology;
    bool redraw;
  };
  for (const auto& [algorithm, topology, redraw] :
       {Case{"sparse_push", "random_out", true}, Case{"sparse_push", "one_peer_exponential", false},
        Case{"sgp", "random_out", true}, Case{"sgp", "one_peer_exponential", false}, Case{"choco", "random_out", false},
        Case{"scsp", "random_out", true}}) {
    SCOPED_TRACE(algorithm + " on " + topology);
    Config config = gossip_config(file, kNodes, topology);
    config.run.steps = kSteps;
    config.run.replicas = 2;
    config.topology.degree = 2;
    config.topology.redraw = redraw;
    config.algorithm.name = algorithm;
    config.algorithm.keep = 0.2;
    config.algorithm.averaging_rate = algorithm == "sgp" ? 1 : 0.2;
    config.algorithm.final_rounds = kFinalRounds;
    config.optimizer.lr = 0.02;
    config.optimizer.momentum = 0.9;
    const std::vector<Outcome> expected = one_shard_outcomes(config);
    for (const int shards : shard_counts()) {
      SCOPED_TRACE(std::to_string(shards) + " shards");
      for_each_stream_order<Cuda>([&] { EXPECT_EQ(nccl_outcomes(config, shards), expected); }, kSanitized ? 1 : 4);
    }
  }
}

}  // namespace
}  // namespace sparsepush
