// Replicas of one run that differ in what they keep and at which rates they learn and average.
#include <gtest/gtest.h>

#include "tests/host/outcome.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 6, kReplicas = 3, kSteps = 21;

/// Of settings that nothing else of the run depends on.
std::vector<ReplicaSettings> different_settings(const Config& config) {
  std::vector<ReplicaSettings> replicas(kReplicas, {config.algorithm, config.optimizer});
  for (int r = 0; r < kReplicas; ++r) {
    replicas[r].algorithm.keep = 0.05 + 0.2 * r;
    replicas[r].algorithm.averaging_rate = 0.3 - 0.1 * r;
    replicas[r].optimizer.lr = 0.01 * (r + 1);
    replicas[r].optimizer.momentum = 0.9 - 0.4 * r;
    replicas[r].optimizer.weight_decay = 0.02 * r;
  }
  return replicas;
}

/// What replica r does in a run of its own.
template <class Backend>
Outcome alone(Config config, const ReplicaSettings& settings, int r) {
  config.run.seed += r;
  config.algorithm = settings.algorithm;
  config.optimizer = settings.optimizer;
  Experiment experiment(config);
  experiment.prepare_data();
  return outcomes_of<Backend>(experiment, kSteps + experiment.schedule().final_rounds()).front();
}

template <class Backend>
class ReplicaSettingsOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(ReplicaSettingsOn, Backends);

TYPED_TEST(ReplicaSettingsOn, GiveEveryReplicaTheBitsOfARunOfItsOwn) {
  const QuadraticFile file(kNodes, {1, 33, 20}, 1);
  for (const std::string method : {"sparse_push", "scsp", "choco", "sgp"}) {
    SCOPED_TRACE(method);
    Config config = gossip_config(file, kNodes, "random_out");
    config.run.steps = kSteps;
    config.run.seed = 11;
    config.topology.redraw = method != "choco";
    config.algorithm.name = method;
    config.algorithm.final_rounds = 3;
    std::vector<Outcome> expected;
    const auto settings = different_settings(config);
    for (int r = 0; r < kReplicas; ++r) expected.push_back(alone<Cpu>(config, settings[r], r));
    EXPECT_EQ(expected[0].sent == expected[1].sent, method == "sgp") << "lengths of messages, but of dense ones";
    for (const int shards : {1, 2}) {
      config.run.shards = shards;
      config.run.replicas = kReplicas;
      Experiment experiment(config);
      experiment.set_replicas(settings);
      experiment.prepare_data();
      const auto together = outcomes_of<TypeParam>(experiment, kSteps + experiment.schedule().final_rounds());
      for (int r = 0; r < kReplicas; ++r)
        EXPECT_EQ(together[r], expected[r]) << "replica " << r << ", " << shards << " shards";
    }
  }
}

TEST(ReplicaSettings, CountForTheHashOfARun) {
  const QuadraticFile file(kNodes, {7}, 1);
  Config config = gossip_config(file, kNodes, "complete");
  config.run.replicas = kReplicas;
  const auto hash = [&](const std::vector<ReplicaSettings>& settings) {
    Experiment experiment(config);
    if (!settings.empty()) experiment.set_replicas(settings);
    return experiment.hash();
  };
  const std::vector<ReplicaSettings> alike(kReplicas, {config.algorithm, config.optimizer});
  EXPECT_EQ(hash(alike), hash({}));
  for (int r = 0; r < kReplicas; ++r) {
    std::vector<ReplicaSettings> other = alike;
    other[r].algorithm.keep = 0.5;
    EXPECT_NE(hash(other), hash({})) << "replica " << r;
  }
  Experiment experiment(config);
  EXPECT_THROW(experiment.set_replicas({alike[0]}), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
