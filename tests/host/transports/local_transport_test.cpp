#include "host/transports/local_transport.h"

#include <gtest/gtest.h>

#include "host/transports/run_shards.h"
#include "tests/backends.h"
#include "tests/host/transports/transport_cases.h"

namespace sparsepush {
namespace {

TEST(Shard, DividesNodesWithoutGapsAndFindsOwners) {
  for (const int nodes : {1, 2, 7, 8, 100})
    for (int shards = 1; shards <= std::min(nodes, 9); ++shards) {
      int next = 0;
      for (int s = 0; s < shards; ++s) {
        const Shard shard{s, shards, 2, nodes};
        EXPECT_EQ(shard.first(), next);
        EXPECT_GE(shard.nodes(), 1);
        for (int node = next; node < next + shard.nodes(); ++node) EXPECT_EQ(shard.owner_of(node), s);
        next += shard.nodes();
        for (int row = 0; row < shard.rows(); ++row) EXPECT_EQ(shard.row_of(shard.id_of(row)), row);
      }
      EXPECT_EQ(next, nodes);
    }
}

template <class Backend>
class LocalTransportOn : public BackendTest<Backend> {
 protected:
  /// Calls expect(run) for several numbers of shards.
  template <class Expect>
  static void for_each_count(const Expect& expect) {
    for (const int shards : {1, 2, 3, 7}) {
      SCOPED_TRACE(shards);
      expect([shards](int replicas, int nodes, const auto& body) {
        run_shards<Backend>(shards, replicas, nodes, [&](Transport<Backend>& transport) {
          const Backend backend = tested_backend<Backend>();
          body(backend, transport);
        });
      });
    }
  }
};
TYPED_TEST_SUITE(LocalTransportOn, Backends);

TYPED_TEST(LocalTransportOn, ExchangeBringsEveryRequestedRow) {
  this->for_each_count([](const auto& run) { expect_every_requested_row(run); });
}
TYPED_TEST(LocalTransportOn, PeersMayChangeFromRoundToRound) {
  this->for_each_count([](const auto& run) { expect_rows_of_changing_peers(run); });
}
TYPED_TEST(LocalTransportOn, RowsMayChangeBehindAnExchange) {
  this->for_each_count([](const auto& run) { expect_rows_as_they_were_sent(run); });
}
TYPED_TEST(LocalTransportOn, ShardsWorkWhileRowsTravel) {
  this->for_each_count([](const auto& run) { expect_work_while_rows_travel(run); });
}
TYPED_TEST(LocalTransportOn, SumsRunInNodeOrder) {
  this->for_each_count([](const auto& run) { expect_sums_in_node_order(run); });
}
TYPED_TEST(LocalTransportOn, LongSumsArriveWhole) {
  this->for_each_count([](const auto& run) { expect_long_sums(run); });
}
TYPED_TEST(LocalTransportOn, GatherJoinsRowsInGlobalOrder) {
  this->for_each_count([](const auto& run) { expect_rows_gathered_in_global_order(run); });
}
TYPED_TEST(LocalTransportOn, BroadcastIsShardZerosValue) {
  this->for_each_count([](const auto& run) { expect_broadcasts_of_shard_zero(run); });
}
TYPED_TEST(LocalTransportOn, SentBytesArriveInTheirOrder) {
  this->for_each_count([](const auto& run) { expect_sent_bytes(run); });
}
TYPED_TEST(LocalTransportOn, AFailingShardReleasesTheOthersAndTellsWhy) {
  this->for_each_count([](const auto& run) { expect_failure_of_the_last_shard(run); });
}

TEST(ThreadsPerShard, AreSharedAndNeverZero) {
  EXPECT_EQ(threads_per_shard(8, 2), 4);
  EXPECT_EQ(threads_per_shard(2, 3), 1);
  EXPECT_GE(threads_per_shard(0, 1), 1);
}

}  // namespace
}  // namespace sparsepush
