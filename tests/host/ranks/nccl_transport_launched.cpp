// What any transport does, between processes that send through the stand-in for NCCL. It is run by mpirun; alone it
// does nothing.
#include <gtest/gtest.h>

#include "host/ranks/nccl_transport.h"
#include "host/ranks/rank_transport.h"
#include "tests/backends.h"
#include "tests/host/transports/transport_cases.h"

namespace sparsepush {
namespace {

Ranks* ranks = nullptr;  // of main: MPI starts once in a process

/// Calls expect(run) in several orders of streams.
template <class Expect>
void for_each_order(const Expect& expect) {
  for_each_stream_order<Cuda>([&] {
    expect([](int replicas, int nodes, const auto& body) {
      const Cuda gpu;
      RankTransport<Cuda> control(*ranks, replicas, nodes);
      NcclTransport transport(control, gpu);
      body(gpu, static_cast<Transport<Cuda>&>(transport));
    });
  });
}

TEST(NcclTransportOfProcesses, ExchangeBringsEveryRequestedRow) {
  for_each_order([](const auto& run) { expect_every_requested_row(run); });
}
TEST(NcclTransportOfProcesses, PeersMayChangeFromRoundToRound) {
  for_each_order([](const auto& run) { expect_rows_of_changing_peers(run); });
}
TEST(NcclTransportOfProcesses, RowsMayChangeBehindAnExchange) {
  for_each_order([](const auto& run) { expect_rows_as_they_were_sent(run); });
}
TEST(NcclTransportOfProcesses, ShardsWorkWhileRowsTravel) {
  for_each_order([](const auto& run) { expect_work_while_rows_travel(run); });
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
