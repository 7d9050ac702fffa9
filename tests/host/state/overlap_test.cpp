// Nodes that hear only their own shard are mixed while messages travel.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/state/emulator.h"
#include "tests/backends.h"
#include "tests/host/emulation.h"

namespace sparsepush {
namespace {

/// A transport that lets ops go on while rows travel, and looks then which local rows of x have changed.
template <class Backend>
class WatchingTransport final : public Transport<Backend> {
 public:
  explicit WatchingTransport(Transport<Backend>& other) : other_(other) {}

  const Shard& shard() const override { return other_.shard(); }
  bool overlaps() const override { return true; }
  void start_exchange(const Backend& backend, std::span<const ExchangedArray> arrays, const Halo& halo) override {
    started_with_ = nodes->to_host(state::x);
    other_.start_exchange(backend, arrays, halo);
  }
  void finish_exchange() override {
    const std::vector<float> now = nodes->to_host(state::x);
    const std::int64_t row = nodes->layout.row;
    changed.clear();
    for (int i = 0; i < shard().rows(); ++i)
      changed.push_back(
          !std::equal(now.begin() + i * row, now.begin() + (i + 1) * row, started_with_.begin() + i * row));
    other_.finish_exchange();
  }
  void send(int to, std::span<const std::byte> bytes) override { other_.send(to, bytes); }
  void receive(int from, std::span<std::byte> bytes) override { other_.receive(from, bytes); }
  using Transport<Backend>::broadcast;
  void broadcast(std::span<std::byte> bytes) override { other_.broadcast(bytes); }
  void barrier() override { other_.barrier(); }

  const Nodes<Backend>* nodes = nullptr;
  std::vector<bool> changed;  ///< [local rows] in the last exchange

 private:
  Transport<Backend>& other_;
  std::vector<float> started_with_;
};

template <class Backend>
class OverlapOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(OverlapOn, Backends);

/// On a directed ring the first node of a shard hears another shard, and no other one does.
TYPED_TEST(OverlapOn, InteriorNodesAreMixedWhileMessagesTravel) {
  constexpr int kNodes = 7;
  const QuadraticFile file(kNodes, {40, 7}, 1.0f);
  for (const std::string compressor : {"top_k", "qsgd"}) {
    SCOPED_TRACE(compressor);
    Config config = gossip_config(file, kNodes, "directed_ring");
    config.algorithm.name = "sparse_push";
    config.algorithm.compressor = compressor;
    config.algorithm.averaging_rate = config.algorithm.keep = 0.2;
    config.optimizer.lr = 0.1;
    Experiment experiment(config);
    experiment.prepare_data();
    for (const int shards : {2, 3})
      run_shards<TypeParam>(shards, 1, kNodes, [&](Transport<TypeParam>& transport) {
        const TypeParam backend = tested_backend<TypeParam>();
        WatchingTransport<TypeParam> watching(transport);
        Emulator<TypeParam> emulator(backend, experiment, watching);
        watching.nodes = &emulator.nodes();
        advance(emulator, 2);
        std::vector<bool> interior(transport.shard().rows(), true);
        interior[0] = false;
        EXPECT_EQ(watching.changed, interior) << "shard " << transport.shard().index << " of " << shards;
      });
  }
}

}  // namespace
}  // namespace sparsepush
