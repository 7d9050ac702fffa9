// What any transport does, between processes. It is run by mpirun; alone it does nothing.
#include <gtest/gtest.h>

#include "host/descriptions/shard_plan.h"
#include "host/ranks/rank_transport.h"
#include "tests/backends.h"
#include "tests/host/emulation.h"
#include "tests/host/transports/transport_cases.h"

namespace sparsepush {
namespace {

Ranks* ranks = nullptr;  // of main: MPI starts once in a process

template <class Backend>
class RankTransportOn : public BackendTest<Backend> {
 protected:
  static auto run() {
    return [](int replicas, int nodes, const auto& body) {
      const Backend backend = tested_backend<Backend>();
      RankTransport<Backend> transport(*ranks, replicas, nodes);
      body(backend, static_cast<Transport<Backend>&>(transport));
    };
  }
};
TYPED_TEST_SUITE(RankTransportOn, Backends);

TYPED_TEST(RankTransportOn, ExchangeBringsEveryRequestedRow) { expect_every_requested_row(this->run()); }
TYPED_TEST(RankTransportOn, PeersMayChangeFromRoundToRound) { expect_rows_of_changing_peers(this->run()); }
TYPED_TEST(RankTransportOn, RowsMayChangeBehindAnExchange) { expect_rows_as_they_were_sent(this->run()); }
TYPED_TEST(RankTransportOn, ShardsWorkWhileRowsTravel) { expect_work_while_rows_travel(this->run()); }
TYPED_TEST(RankTransportOn, SumsRunInNodeOrder) { expect_sums_in_node_order(this->run()); }
TYPED_TEST(RankTransportOn, LongSumsArriveWhole) { expect_long_sums(this->run()); }
TYPED_TEST(RankTransportOn, GatherJoinsRowsInGlobalOrder) { expect_rows_gathered_in_global_order(this->run()); }
TYPED_TEST(RankTransportOn, BroadcastIsShardZerosValue) { expect_broadcasts_of_shard_zero(this->run()); }
TYPED_TEST(RankTransportOn, SentBytesArriveInTheirOrder) { expect_sent_bytes(this->run()); }

/// Bytes of rows that a shard has sent in `rounds` rounds.
template <class Backend>
std::int64_t sent_bytes(const Experiment& experiment, int rounds) {
  const RunConfig& run = experiment.config().run;
  const Backend backend = tested_backend<Backend>();
  RankTransport<Backend> transport(*ranks, run.replicas, run.nodes);
  Emulator<Backend> emulator(backend, experiment, transport);
  const std::int64_t before = transport.sent_row_bytes();
  advance(emulator, rounds);
  return transport.sent_row_bytes() - before;
}

TYPED_TEST(RankTransportOn, SendsAsManyBytesAsPlanned) {
  constexpr int kNodes = 9, kRounds = 16;
  const bool on_cpu = std::is_same_v<TypeParam, Cpu>;
  const QuadraticFile file(kNodes, {70, 1, on_cpu ? 25'000 : 200}, 1);  // rows of 100 kB are not packed on the Cpu
  for (const std::string topology : {"directed_ring", "random_out", "exponential", "complete"})
    for (const std::string algorithm : {"sgp", "sparse_push", "choco"}) {
      SCOPED_TRACE(algorithm + " on " + topology);
      Config config = gossip_config(file, kNodes, topology);
      config.run.shards = ranks->count();
      config.run.replicas = 2;
      config.algorithm.name = algorithm;
      config.algorithm.keep = 0.01;
      config.topology.redraw = topology == "random_out" && algorithm != "choco";
      Experiment experiment(config);
      experiment.prepare_data();
      const ShardTraffic plan = shard_traffic(experiment, {ranks->rank(), ranks->count(), 2, kNodes});
      EXPECT_GT(plan.sent_rows, 0);
      const double rows = kRounds * plan.sent_rows,
                   bytes = static_cast<double>(sent_bytes<TypeParam>(experiment, kRounds));
      EXPECT_LE(bytes, rows * static_cast<double>(plan.row_bytes));
      EXPECT_GT(bytes, rows * static_cast<double>(plan.row_bytes - 16)) << "packets end at a multiple of 16 bytes";
    }
}

TEST(Ranks, ExchangeTextsInTheirOrder) {
  const std::vector<std::string> all = ranks->all_texts(std::string(ranks->rank(), 'x'));
  for (int rank = 0; rank < ranks->count(); ++rank) EXPECT_EQ(all[rank], std::string(rank, 'x'));
  EXPECT_LT(ranks->rank_here(), ranks->count_here());
  EXPECT_GE(ranks->sharing(), 1);
}

}  // namespace
}  // namespace sparsepush

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (sparsepush::Ranks::launched() == 1) return 77;
  sparsepush::Ranks ranks;
  sparsepush::ranks = &ranks;
  return RUN_ALL_TESTS();
}
