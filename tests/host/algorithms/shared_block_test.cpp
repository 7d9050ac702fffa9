// Mixing one block of the model in each round.
#include "host/algorithms/shared_block.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "host/descriptions/run_plan.h"
#include "host/records/checkpoint.h"
#include "tests/data/error_of.h"
#include "tests/host/outcome.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 6;
constexpr std::int64_t kParameters = 54;

template <class Backend>
class SharedBlockOn : public BackendTest<Backend> {
 protected:
  /// An irregular digraph in each of two rounds.
  Config config(std::int64_t blocks, float curvature) {
    Config config = gossip_config(curvature > 0 ? problem_ : gossip_, kNodes, "file");
    config.topology.file = folder_ / "edges.csv";
    write_file(config.topology.file,
               "round,source,target\n0,0,1\n0,1,2\n0,2,3\n0,3,4\n0,4,5\n0,5,0\n0,0,2\n0,0,3\n0,4,1\n"
               "1,1,0\n1,2,1\n1,3,2\n1,4,3\n1,5,4\n1,0,5\n1,2,0\n1,2,5\n");
    config.algorithm.name = "shared_block";
    config.algorithm.blocks = blocks;
    if (curvature > 0) {
      config.optimizer.lr = 0.05;
      config.optimizer.momentum = 0.9;
      config.optimizer.weight_decay = 0.01;
    }
    return config;
  }
  static std::vector<Outcome> outcomes(const Config& config, std::int64_t steps) {
    Experiment experiment(config);
    experiment.prepare_data();
    return outcomes_of<Backend>(experiment, steps);
  }

  const TemporaryFolder folder_;
  const QuadraticFile problem_{kNodes, {1, 33, 20}, 1}, gossip_{kNodes, {1, 33, 20}, 0};
};
TYPED_TEST_SUITE(SharedBlockOn, Backends);

TYPED_TEST(SharedBlockOn, OneBlockIsStochasticGradientPush) {
  Config config = this->config(1, 1);
  config.run.replicas = 2;
  const std::vector<Outcome> blocks = this->outcomes(config, 7);
  config.algorithm.name = "sgp";
  config.algorithm.averaging_rate = 1;
  const std::vector<Outcome> sgp = this->outcomes(config, 7);
  for (std::size_t r = 0; r < sgp.size(); ++r) {
    for (const char* array : {"x", "momentum"}) EXPECT_EQ(blocks[r].arrays.at(array), sgp[r].arrays.at(array)) << array;
    EXPECT_EQ(blocks[r].sent, sgp[r].sent);
    EXPECT_EQ(blocks[r].u, std::vector<double>(kNodes, 1.0));
  }
}

TYPED_TEST(SharedBlockOn, HasTheSameBitsOnAnyShardsWithAnyOptimizer) {
  for (const Optimizer& optimizer : optimizers()) {
    Config config = this->config(5, 1);
    config.optimizer.kind = optimizer.name;
    config.run.replicas = 2;
    const std::vector<Outcome> whole = this->outcomes(config, 7);
    for (const int shards : {2, 3}) {
      config.run.shards = shards;
      EXPECT_EQ(this->outcomes(config, 7), whole) << optimizer.name << " on " << shards << " shards";
    }
  }
}

TYPED_TEST(SharedBlockOn, CountsTheElementsOfEachBlockAndItsWeightAsPlanned) {
  Config config = this->config(4, 1);  // of 13, 14, 13 and 14 elements
  config.run.steps = 3;
  const Outcome outcome = this->outcomes(config, 3).front();
  for (const auto& sent : outcome.sent) EXPECT_EQ(sent[kDenseBytes], sent[kMessagesSent] * (4 * kParameters + 4));
  // Node 1 sends once in each round, node 0 three times and once.
  for (const SentCount count : {kAuthorsBytes, kCoo32Bytes, kWireBytes}) {
    EXPECT_EQ(outcome.sent[1][count], 4 * (13 + 14 + 13) + 3 * 4);
    EXPECT_EQ(outcome.sent[0][count], 4 * (3 * 13 + 14 + 3 * 13) + 7 * 4);
  }
  std::int64_t all = 0;
  for (const auto& sent : outcome.sent) all += sent[kWireBytes];
  const std::string plan = describe_run_plan<Cpu>(Experiment(config));
  EXPECT_NE(plan.find("bytes wire: " + std::to_string(all) + " ("), std::string::npos) << all << '\n' << plan;
}

TYPED_TEST(SharedBlockOn, GossipKeepsEverySumAndComesToTheMean) {
  const Config config = this->config(5, 0);
  emulate_on(tested_backend<TypeParam>(), config, [&](Emulator<TypeParam>& e) {
    const auto sums = [&] {
      std::vector<double> sum(e.nodes().layout.row), u(5);
      const auto x = e.nodes().to_host(state::x);
      const auto weights = e.nodes().to_host(block_u);
      for (std::size_t i = 0; i < x.size(); ++i) sum[i % sum.size()] += x[i];
      for (std::size_t i = 0; i < weights.size(); ++i) u[i % u.size()] += weights[i];
      return std::pair(sum, u);
    };
    const auto [sum, u] = sums();
    EXPECT_GT(*e.measure(false).front().consensus, 0.5);
    advance(e, 300);
    const auto [sum_after, u_after] = sums();
    for (std::size_t j = 0; j < sum.size(); ++j) EXPECT_NEAR(sum_after[j], sum[j], 2e-5) << j;
    for (std::size_t b = 0; b < u.size(); ++b) EXPECT_NEAR(u_after[b], u[b], 1e-12) << b;
    const MetricsRow row = e.measure(false).front();
    EXPECT_LT(*row.consensus, 3e-7);
    EXPECT_NEAR(row.u_sum, kNodes, 1e-12);
    EXPECT_LT(row.u_min, 0.9);
    EXPECT_GT(row.u_max, 1.1);
  });
}

TYPED_TEST(SharedBlockOn, ResumesWithTheSameBitsAndStartsAtItsZ) {
  Config config = this->config(5, 1);
  const std::string path = this->folder_ / "checkpoint";
  std::vector<float> whole, z;
  Experiment experiment(config);
  experiment.prepare_data();
  emulate_on(tested_backend<TypeParam>(), experiment, [&](Emulator<TypeParam>& e) {
    advance(e, 4);
    {
      SafetensorsWriter file = open_checkpoint(path, e);
      write_checkpoint(&file, e, counts_to_save(e));
      file.commit();
    }
    debias_blocks(e.nodes());
    z = e.nodes().to_host(state::z);
    advance(e, 6);
    whole = e.nodes().to_host(state::x);
  });
  emulate_on(tested_backend<TypeParam>(), experiment, [&](Emulator<TypeParam>& e) {
    read_checkpoint(path, e);
    advance(e, 6);
    EXPECT_EQ(e.nodes().to_host(state::x), whole);
  });
  config.algorithm.name = "sgp";
  Experiment other(config);
  other.prepare_data();
  check_start(path, other);
  emulate_on(tested_backend<TypeParam>(), other, [&](Emulator<TypeParam>& e) {
    read_start(path, e);
    EXPECT_EQ(e.nodes().to_host(state::x), z);
  });
}

TEST(SharedBlock, NeedsBlocksThatFitAndThatEveryNodeHearsOf) {
  const QuadraticFile file(kNodes, {1, 33, 20}, 1);
  const auto refusal = [&](std::int64_t blocks, const std::string& topology) {
    Config config = gossip_config(file, kNodes, topology);
    config.algorithm.name = "shared_block";
    config.algorithm.blocks = blocks;
    return error_of([&] { Experiment experiment(config); });
  };
  EXPECT_EQ(refusal(0, "directed_ring"), "algorithm.blocks: expected 1 to 54, the parameters of a node, got 0");
  EXPECT_EQ(refusal(55, "directed_ring"), "algorithm.blocks: expected 1 to 54, the parameters of a node, got 55");
  EXPECT_EQ(refusal(54, "directed_ring"), "");
  EXPECT_EQ(refusal(7, "one_peer_exponential"), "");  // 3 rounds: to the next node, the second and the fourth
  EXPECT_EQ(
      refusal(6, "one_peer_exponential"),
      "algorithm.blocks: with 6 blocks those of rounds 1, 4, ... are mixed over edges of one_peer_exponential that "
      "are not strongly connected: no path from node 0 to node 1; choose a number that has no divisor in common "
      "with its 3 rounds");
  EXPECT_EQ(error_of([] { parse_config("", {"algorithm.name=shared_block"}); }),
            "--set algorithm.name=shared_block: algorithm.name: \"shared_block\" needs algorithm.blocks, the number of "
            "blocks that models are cut into");
}

}  // namespace
}  // namespace sparsepush
