// Runs of one experiment, which differ in seeds, partitions, in what they keep, and at which rates they learn and
// average.
#include <gtest/gtest.h>

#include "tests/host/outcome.h"
#include "tests/host/records/saved_run.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 6, kSteps = 21;

/// Three runs of one, two and one replicas.
std::vector<Config> different_runs(const Config& config) {
  std::vector<Config> runs(3, config);
  for (int i = 0; i < 3; ++i) {
    runs[i].run.seed += 7 * i;
    runs[i].run.replicas = i == 1 ? 2 : 1;
    runs[i].algorithm.keep = 0.05 + 0.2 * i;
    runs[i].algorithm.averaging_rate = 0.3 - 0.1 * i;
    runs[i].optimizer.lr = 0.01 * (i + 1);
    runs[i].optimizer.momentum = 0.9 - 0.4 * i;
    runs[i].optimizer.weight_decay = 0.02 * i;
  }
  return runs;
}

/// Those of the replicas of all runs, each run alone.
template <class Backend>
std::vector<Outcome> alone(const std::vector<Config>& runs) {
  std::vector<Outcome> all;
  for (const Config& config : runs) {
    Experiment experiment(config);
    experiment.prepare_data();
    for (Outcome& outcome : outcomes_of<Backend>(experiment, experiment.schedule().end())) all.push_back(outcome);
  }
  return all;
}

template <class Backend>
std::vector<Outcome> together(std::vector<Config> runs, int shards) {
  for (Config& config : runs) config.run.shards = shards;
  Experiment experiment(runs);
  experiment.prepare_data();
  return outcomes_of<Backend>(experiment, experiment.schedule().end());
}

template <class Backend>
class RunsSideBySideOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(RunsSideBySideOn, Backends);

TYPED_TEST(RunsSideBySideOn, HaveTheBitsThatEachHasAlone) {
  const QuadraticFile file(kNodes, {1, 33, 20}, 1);
  for (const std::string method : {"sparse_push", "scsp", "choco", "sgp"}) {
    SCOPED_TRACE(method);
    Config config = gossip_config(file, kNodes, "random_out");
    config.run.steps = kSteps;
    config.run.seed = 11;
    config.topology.redraw = method != "choco";
    config.algorithm.name = method;
    config.algorithm.final_rounds = 3;
    const std::vector<Config> runs = different_runs(config);
    const std::vector<Outcome> expected = alone<Cpu>(runs);
    EXPECT_EQ(expected[0].sent == expected[1].sent, method == "sgp") << "lengths of messages, but of dense ones";
    for (const int shards : {1, 2}) {
      const std::vector<Outcome> found = together<TypeParam>(runs, shards);
      ASSERT_EQ(found.size(), 4u);
      for (int r = 0; r < 4; ++r) EXPECT_EQ(found[r], expected[r]) << "replica " << r << ", " << shards << " shards";
    }
  }
}

/// Networks: partitions and their seeds, schedules and optimizers.
Config network_config() {
  Config config;
  config.run.nodes = 4;
  config.run.steps = 12;
  config.run.threads = 1;
  config.data.name = "synthetic";
  config.data.batch = 5;
  config.data.samples = 120;
  config.data.features = 4;
  config.data.classes = 3;
  config.model.hidden = {5};
  config.algorithm.keep = 0.3;
  config.algorithm.averaging_rate = 0.3;
  return config;
}

TEST(RunsSideBySide, HaveTheirOwnPartitionsSchedulesAndSeeds) {
  for (const std::string optimizer : {"heavy_ball", "nesterov", "quasi_global", "adam"}) {
    SCOPED_TRACE(optimizer);
    Config config = network_config();
    config.optimizer.kind = optimizer;
    std::vector<Config> runs(6, config);
    runs[1].data.partition = "skew";
    runs[1].data.skew = 1;
    runs[2].data.partition = "dirichlet";
    runs[2].data.alpha = 0.5;
    runs[2].data.seed = 9;
    runs[3].optimizer.milestones = {1};
    runs[3].algorithm.averaging_decay = {0.5};
    runs[4].optimizer.schedule = "cosine";
    runs[4].optimizer.warmup_epochs = 1;
    runs[4].optimizer.beta2 = 0.9;
    runs[5].run.seed = 3;
    const std::vector<Outcome> expected = alone<Cpu>(runs), found = together<Cpu>(runs, 1);
    for (int r = 0; r < 6; ++r) {
      EXPECT_EQ(found[r], expected[r]) << "run " << r;
      for (int other = 0; other < r; ++other) EXPECT_NE(expected[r].arrays, expected[other].arrays) << r << other;
    }
  }
}

TEST(RunsSideBySide, HaveTheHashesAndPartitionTablesOfTheirOwn) {
  std::vector<Config> runs(3, network_config());
  runs[1].data.partition = "dirichlet";
  runs[1].run.replicas = 2;
  runs[2].optimizer.lr = 0.3;
  Experiment together(runs);
  together.prepare_data();
  for (int i = 0; i < 3; ++i) {
    Experiment alone(runs[i]);
    alone.prepare_data();
    EXPECT_EQ(together.hash(i), alone.hash());
    EXPECT_EQ(together.task().partition_table(together.runs()[i].replicas()),
              alone.task().partition_table({0, runs[i].run.replicas}));
  }
  EXPECT_NE(together.hash(0), together.hash(1));
  EXPECT_NE(together.hash(0), together.hash(2));
}

TEST(RunsSideBySide, HaveOneLength) {
  std::vector<Config> runs(2, network_config());
  runs[1].run.steps = 13;
  EXPECT_THROW(Experiment{runs}, InputError);
}

TEST(RunsSideBySide, LeaveAndReadTheCheckpointsOfTheirOwn) {
  const TemporaryFolder folder;
  std::vector<Config> runs(3, network_config());
  runs[1].run.replicas = 2;
  runs[1].run.seed = 5;
  runs[2].optimizer.lr = 0.3;
  std::vector<std::string> middle, end;
  for (const Config& config : runs)
    emulate(config, [&](Emulator<Cpu>& e) {
      std::unique_ptr<SafetensorsWriter> file;
      advance(e, 5);
      middle.push_back(checkpoint_of(e, file, folder / "alone" + std::to_string(middle.size())));
      advance(e, 7);
      end.push_back(checkpoint_of(e, file, folder / "end"));
    });
  Experiment together(runs);
  together.prepare_data();
  const auto expect_all = [&](Emulator<Cpu>& e, const std::vector<std::string>& expected) {
    for (int i = 0; i < 3; ++i) {
      SafetensorsWriter file = open_checkpoint(folder / "own", e, false, i);
      write_checkpoint(&file, e, counts_to_save(e), i);
      file.commit();
      EXPECT_EQ(read_file(folder / "own"), expected[i]) << "run " << i;
    }
  };
  emulate_on(tested_cpu(1), together, [&](Emulator<Cpu>& e) {
    advance(e, 5);
    expect_all(e, middle);
  });
  emulate_on(tested_cpu(1), together, [&](Emulator<Cpu>& e) {
    for (int i = 0; i < 3; ++i) {
      const std::string path = folder / "alone" + std::to_string(i);
      EXPECT_EQ(read_checkpoint_head(path, together, i).step, 5);
      read_checkpoint(path, e, i);
    }
    EXPECT_THROW(read_checkpoint_head(folder / "alone0", together, 1), InputError);
    advance(e, 7);
    expect_all(e, end);
  });
}

/// What a run alone says of its divergence.
std::string reason_alone(const Config& config) {
  std::string reason;
  emulate(config, [&](Emulator<Cpu>& e) {
    try {
      advance(e, config.run.steps);
    } catch (const Diverged& diverged) {
      reason = diverged.what();
    }
  });
  return reason;
}

TEST(RunsSideBySide, AreLostAloneWhereTheyDiverge) {
  Config config = network_config();
  config.run.steps = 60;
  std::vector<Config> runs(4, config);
  runs[1].optimizer.lr = 1e6;
  runs[1].optimizer.weight_decay = 0.9;
  runs[1].run.replicas = 2;
  runs[3] = runs[1];
  runs[3].run.replicas = 1;
  runs[3].optimizer.lr = 1e12;
  std::vector<std::string> reasons;
  for (const Config& run : runs) reasons.push_back(reason_alone(run));
  EXPECT_TRUE(reasons[0].empty());
  EXPECT_TRUE(reasons[1].starts_with("diverged at step ")) << reasons[1];
  EXPECT_NE(reasons[1], reasons[3]);
  Experiment together(runs);
  together.prepare_data();
  const Outcome first = alone<Cpu>({runs[0]}).front(), third = alone<Cpu>({runs[2]}).front();
  const auto make = [&](const Cpu& cpu, Transport<Cpu>& transport) {
    return std::make_unique<Emulator<Cpu>>(cpu, together, transport);
  };
  const auto found = outcomes_of<Cpu>(together, make, [&](Emulator<Cpu>& e) {
    advance(e, config.run.steps);
    EXPECT_EQ(e.lost(), reasons);
    std::vector<int> measured;
    for (const MetricsRow& row : e.measure(true)) measured.push_back(row.replica);
    EXPECT_EQ(measured, (std::vector<int>{0, 3}));
  });
  EXPECT_EQ(found[0], first);
  EXPECT_EQ(found[3], third);
}

TEST(RunsSideBySide, EndWhereNoneIsLeft) {
  Config config = network_config();
  config.optimizer.lr = 1e30;
  const std::string reason = reason_alone(config);
  ASSERT_FALSE(reason.empty());
  Experiment together(std::vector<Config>(2, config));
  together.prepare_data();
  emulate_on(tested_cpu(1), together, [&](Emulator<Cpu>& e) {
    try {
      advance(e, config.run.steps);
      ADD_FAILURE() << "it goes on";
    } catch (const Diverged& diverged) {
      EXPECT_EQ(diverged.reasons(), std::vector<std::string>(2, reason));
    }
  });
}

}  // namespace
}  // namespace sparsepush
