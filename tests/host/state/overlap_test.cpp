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

constexpr int kReplicas = 2;

/// A transport that lets ops go on while rows travel, and looks then which local rows of an array have changed.
template <class Backend>
class WatchingTransport final : public Transport<Backend> {
 public:
  WatchingTransport(Transport<Backend>& other, const Array<float>& watched) : other_(other), watched_(watched) {}

  const Shard& shard() const override { return other_.shard(); }
  bool overlaps() const override { return true; }
  void start_exchange(const Backend& backend, std::span<const ExchangedArray> arrays, const Halo& halo) override {
    started_with_ = nodes->to_host(watched_);
    other_.start_exchange(backend, arrays, halo);
  }
  void finish_exchange() override {
    const std::vector<float> now = nodes->to_host(watched_);
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
  const Array<float> watched_;
  std::vector<float> started_with_;
};

struct Case {
  const char *algorithm, *compressor, *topology;
  const Array<float>* mixed = &state::x;  ///< what mixing writes
};

Config config_of(const Case& c, const QuadraticFile& file, int nodes) {
  Config config = gossip_config(file, nodes, c.topology);
  config.run.replicas = kReplicas;
  config.algorithm.name = c.algorithm;
  config.algorithm.compressor = c.compressor;
  config.algorithm.averaging_rate = config.algorithm.keep = 0.2;
  config.algorithm.blocks = 3;
  config.optimizer.lr = 0.1;
  return config;
}

template <class Backend>
class OverlapOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(OverlapOn, Backends);

/// On a directed ring the first node of a shard hears another shard, and no other one does; on a ring the last one too.
/// Rows travel when all interior nodes are done: whoever read or changed them before would get other results.
TYPED_TEST(OverlapOn, InteriorNodesAreMixedWhileMessagesTravelToTheSameResults) {
  constexpr int kNodes = 7, kSteps = 4;
  const QuadraticFile file(kNodes, {40, 7}, 1.0f);
  for (const Case& c : {Case{"sparse_push", "top_k", "directed_ring"},
                        {"sparse_push", "qsgd", "directed_ring"},
                        {"deep_squeeze", "top_k", "ring"},
                        {"choco", "top_k", "directed_ring"},
                        {"choco", "qsgd", "directed_ring"},
                        {"quantized_push_sum", "qsgd", "ring"},
                        {"d2", "", "ring", &state::gradient},
                        {"shared_block", "", "directed_ring"}}) {
    SCOPED_TRACE(std::string(c.algorithm) + ' ' + c.compressor);
    Experiment experiment(config_of(c, file, kNodes));
    experiment.prepare_data();
    std::vector<float> alone;
    emulate_on(tested_backend<TypeParam>(), experiment, [&](Emulator<TypeParam>& emulator) {
      advance(emulator, kSteps);
      alone = emulator.nodes().to_host(state::x);
    });
    for (const int shards : {2, 3})
      run_shards<TypeParam>(shards, kReplicas, kNodes, [&](Transport<TypeParam>& transport) {
        const TypeParam backend = tested_backend<TypeParam>();
        const Shard& shard = transport.shard();
        WatchingTransport<TypeParam> watching(transport, *c.mixed);
        Emulator<TypeParam> emulator(backend, experiment, watching);
        watching.nodes = &emulator.nodes();
        advance(emulator, kSteps);
        std::vector<bool> interior(shard.nodes(), true);
        interior.front() = false;
        if (c.topology == std::string("ring")) interior.back() = false;
        std::vector<bool> of_replicas;
        for (int r = 0; r < kReplicas; ++r) of_replicas.insert(of_replicas.end(), interior.begin(), interior.end());
        EXPECT_EQ(watching.changed, of_replicas) << "shard " << shard.index << " of " << shards;
        const std::vector<float> x = emulator.nodes().to_host(state::x);
        const std::int64_t row = emulator.nodes().layout.row;
        for (int r = 0; r < kReplicas; ++r)
          EXPECT_TRUE(std::equal(x.begin() + r * shard.nodes() * row, x.begin() + (r + 1) * shard.nodes() * row,
                                 alone.begin() + (r * kNodes + shard.first()) * row))
              << "replica " << r << ", shard " << shard.index << " of " << shards;
      });
  }
}

}  // namespace
}  // namespace sparsepush
