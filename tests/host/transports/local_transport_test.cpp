#include "host/transports/local_transport.h"

#include <gtest/gtest.h>

#include <mutex>

#include "host/transports/run_shards.h"
#include "kernels/backend/backend.h"

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

template <class T>
std::byte* bytes_of(std::vector<T>& values) {
  return std::as_writable_bytes(std::span(values)).data();
}

/// The halo of a shard to which all nodes of the others send, and it to all of them.
Halo halo_of_all(const Shard& shard) {
  Halo halo;
  for (int s = 0; s < shard.shards; ++s) {
    const Shard other{s, shard.shards, shard.replicas, shard.all_nodes};
    const bool is_other = s != shard.index;
    halo.from.push_back(is_other ? other.rows() : 0);
    halo.to.push_back(is_other ? shard.rows() : 0);
    for (int row = 0; row < halo.from.back(); ++row) halo.nodes.push_back(other.id_of(row));
    for (int row = 0; row < halo.to.back(); ++row) halo.sent.push_back(row);
  }
  return halo;
}

class LocalTransportShards : public testing::TestWithParam<int> {};

TEST_P(LocalTransportShards, ExchangeBringsEveryRequestedRow) {
  run_shards<Cpu>(GetParam(), 2, 7, [](Transport<Cpu>& transport) {
    const Cpu cpu(1);
    const Shard& shard = transport.shard();
    const Halo halo = halo_of_all(shard);
    std::vector<int> pairs, halo_pairs(2 * halo.nodes.size());
    std::vector<double> single, halo_single(halo.nodes.size());
    for (int turn = 0; turn < 3; ++turn) {
      pairs.clear();
      single.clear();
      for (int row = 0; row < shard.rows(); ++row) {
        const NodeId id = shard.id_of(row);
        pairs.insert(pairs.end(), {id.replica, id.node + 100 * turn});
        single.push_back(id.replica * 1000 + id.node + turn);
      }
      const ExchangedArray arrays[] = {{bytes_of(pairs), bytes_of(halo_pairs), 2 * sizeof(int)},
                                       {bytes_of(single), bytes_of(halo_single), sizeof(double)}};
      transport.exchange(cpu, arrays, halo);
      if (shard.shards == 1) return;
      for (std::size_t h = 0; h < halo.nodes.size(); ++h) {
        EXPECT_EQ(halo_pairs[2 * h], halo.nodes[h].replica);
        EXPECT_EQ(halo_pairs[2 * h + 1], halo.nodes[h].node + 100 * turn);
        EXPECT_EQ(halo_single[h], halo.nodes[h].replica * 1000 + halo.nodes[h].node + turn);
      }
    }
  });
}

TEST_P(LocalTransportShards, SumsRunInNodeOrder) {
  // Doubles for which the order shows: 1e16 swallows a 1 that is added later, not one that is added before.
  const std::vector<double> values = {1, 1, 1e16, 1, 1, -1e16, 1};
  double expected = 0;
  for (const double v : values) expected += v;
  run_shards<Cpu>(GetParam(), 1, 7, [&](Transport<Cpu>& transport) {
    const Shard& shard = transport.shard();
    for (int turn = 0; turn < 3; ++turn) {
      double sum = 99;
      transport.sum_in_order(std::span(&sum, 1), [&](std::int64_t, std::span<double> s) {
        for (int i = 0; i < shard.nodes(); ++i) s[0] += values[shard.first() + i];
      });
      EXPECT_EQ(sum, expected);
    }
  });
}

TEST_P(LocalTransportShards, GatherJoinsRowsInGlobalOrder) {
  run_shards<Cpu>(GetParam(), 3, 7, [](Transport<Cpu>& transport) {
    const Shard& shard = transport.shard();
    std::vector<double> local, global(shard.all_rows());
    for (int row = 0; row < shard.rows(); ++row) local.push_back(shard.id_of(row).replica * 7 + shard.id_of(row).node);
    transport.gather(local, global);
    for (int k = 0; k < shard.all_rows(); ++k) EXPECT_EQ(global[k], k);
  });
}

TEST_P(LocalTransportShards, BroadcastIsShardZerosValue) {
  run_shards<Cpu>(GetParam(), 1, 7, [](Transport<Cpu>& transport) {
    for (const bool first : {true, false, true})
      EXPECT_EQ(transport.broadcast(transport.shard().index == 0 ? first : !first), first);
  });
}

TEST_P(LocalTransportShards, AFailingShardReleasesTheOthersAndTellsWhy) {
  const auto fail_in_last = [](Transport<Cpu>& transport) {
    transport.barrier();
    if (transport.shard().index == transport.shard().shards - 1) throw std::runtime_error("disk full");
    transport.barrier();
    ADD_FAILURE() << "met without the shard that failed";
  };
  try {
    run_shards<Cpu>(GetParam(), 1, 7, fail_in_last);
    FAIL() << "no exception";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "disk full");
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, LocalTransportShards, testing::Values(1, 2, 3, 7));

TEST(ThreadsPerShard, AreSharedAndNeverZero) {
  EXPECT_EQ(threads_per_shard(8, 2), 4);
  EXPECT_EQ(threads_per_shard(2, 3), 1);
  EXPECT_GE(threads_per_shard(0, 1), 1);
}

}  // namespace
}  // namespace sparsepush
