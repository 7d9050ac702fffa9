#include "tests/host/state/own_task.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "data/files/input_error.h"
#include "host/records/metrics.h"
#include "tests/backends.h"
#include "tests/host/emulation.h"
#include "tests/host/records/saved_run.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 5, kReplicas = 2;

Config own_config() {
  Config config;
  config.run.nodes = kNodes;
  config.run.replicas = kReplicas;
  config.run.steps = 9;
  config.topology.name = "random_out";
  config.topology.redraw = true;
  config.algorithm.keep = 0.4;
  config.algorithm.averaging_rate = 0.3;
  config.algorithm.local_steps = 2;
  config.optimizer.lr = 0.0625;
  return config;
}

/// What sends no u on a topology that keeps it at 1.
Config d_psgd_config() {
  Config config = own_config();
  config.algorithm.name = "d_psgd";
  config.topology.name = "exponential";
  config.topology.redraw = false;
  return config;
}

/// What a run of the whole length comes to.
struct End {
  std::string checkpoint;
  std::vector<std::string> lines;  ///< of metrics.csv
  friend bool operator==(const End&, const End&) = default;
};

struct OwnRun {
  Config config = own_config();
  OwnTaskOptions task = {};
  int shards = 1;
  bool recorded = true;
};

Experiment experiment_of(const OwnRun& run) {
  Config config = run.config;
  config.run.shards = run.shards;
  return {config, recipe_of(config), std::make_unique<OwnTask>(run.task)};
}

/// Trains with `advance_to_end`, which steps an emulator to its last step.
template <class Backend, class Advance>
End end_of(const OwnRun& run, const Advance& advance_to_end) {
  const TemporaryFolder folder;
  const Experiment experiment = experiment_of(run);
  std::unique_ptr<SafetensorsWriter> file;
  End end;
  run_shards<Backend>(run.shards, kReplicas, kNodes, [&](Transport<Backend>& transport) {
    const Backend backend = tested_backend<Backend>();
    Emulator<Backend> e(backend, experiment, transport);
    e.set_recorded(run.recorded);
    advance_to_end(e);
    EXPECT_EQ(e.step(), 9);
    const std::string checkpoint = checkpoint_of(e, file, folder / "end");
    const std::vector<MetricsRow> rows = e.measure(true);
    if (e.nodes().shard.index != 0) return;
    end.checkpoint = checkpoint;
    for (const MetricsRow& row : rows) end.lines.push_back(metrics_line(row));
  });
  return end;
}

/// On the processor, in one shard, without records and interruption.
End plain_end(const Config& config = own_config()) {
  return end_of<Cpu>({.config = config, .recorded = false}, [](Emulator<Cpu>& e) { advance(e, 9); });
}

/// Calls body(run) for 1 and 2 shards, with and without records.
template <class Body>
void for_each_run(const Body& body) {
  for (const int shards : {1, 2})
    for (const bool recorded : {false, true}) {
      SCOPED_TRACE(std::to_string(shards) + (recorded ? " shards, recorded" : " shards"));
      body(OwnRun{.shards = shards, .recorded = recorded});
    }
}

template <class Backend>
class OwnTaskOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(OwnTaskOn, Backends);

TYPED_TEST(OwnTaskOn, TrainsToTheSameBitsHoweverItIsRun) {
  const End plain = plain_end();
  for_each_run([&](OwnRun run) {
    for (const bool wants_z : {false, true}) {
      run.task.wants_z = wants_z;
      const End end = end_of<TypeParam>(run, [&](Emulator<TypeParam>& e) {
        EXPECT_EQ(e.nodes().state.has(state::z), wants_z);
        advance(e, 9);
      });
      EXPECT_TRUE(end == plain) << (wants_z ? "at z" : "at x and u");
    }
  });
}

TYPED_TEST(OwnTaskOn, FindsItsZInXWhereNoPushWeightsAreMixed) {
  const End plain = plain_end(d_psgd_config());
  for_each_run([&](OwnRun run) {
    run.config = d_psgd_config();
    run.task.wants_z = true;
    const End end = end_of<TypeParam>(run, [](Emulator<TypeParam>& e) {
      EXPECT_FALSE(e.nodes().state.has(state::z));
      advance(e, 9);
    });
    EXPECT_TRUE(end == plain);
  });
}

TYPED_TEST(OwnTaskOn, GoesOnAfterGradientsThatFailed) {
  const End plain = plain_end();
  for_each_run([&](OwnRun run) {
    const TemporaryFolder folder;
    std::unique_ptr<SafetensorsWriter> file;
    run.task.failing_step = 5;
    run.task.failures = 2;
    const End end = end_of<TypeParam>(run, [&](Emulator<TypeParam>& e) {
      advance(e, 5);
      const std::string before = checkpoint_of(e, file, folder / "before");
      for (int attempt = 0; attempt < 2; ++attempt) {
        EXPECT_THROW(advance(e, 1), OutOfPaper);
        EXPECT_EQ(e.step(), 5);
        EXPECT_TRUE(checkpoint_of(e, file, folder / "after") == before);
      }
      advance(e, 4);
    });
    EXPECT_TRUE(end == plain);
  });
}

TYPED_TEST(OwnTaskOn, GoesOnWhenTheVeryFirstGradientsFailed) {
  const End end = end_of<TypeParam>({.task = {.failing_step = 0, .failures = 1}}, [](Emulator<TypeParam>& e) {
    EXPECT_THROW(advance(e, 1), OutOfPaper);
    advance(e, 9);
  });
  EXPECT_TRUE(end == plain_end());
}

TYPED_TEST(OwnTaskOn, ResumesFromACheckpoint) {
  const End plain = plain_end();
  const TemporaryFolder folder;
  std::unique_ptr<SafetensorsWriter> file;
  end_of<TypeParam>({}, [&](Emulator<TypeParam>& e) {
    advance(e, 5);
    checkpoint_of(e, file, folder / "five");
    advance(e, 4);
  });
  EXPECT_EQ(read_checkpoint_head(folder / "five", experiment_of({})).step, 5);
  for_each_run([&](const OwnRun& run) {
    const End end = end_of<TypeParam>(run, [&](Emulator<TypeParam>& e) {
      read_checkpoint(folder / "five", e);
      advance(e, 4);
    });
    EXPECT_TRUE(end == plain);
  });
  const Experiment other = experiment_of({.task = {.identity = "another"}});
  EXPECT_THROW(read_checkpoint_head(folder / "five", other), InputError);
}

TEST(OwnTask, IsNamedInTheCheckpointAndScoredInTheMetrics) {
  const TemporaryFolder folder;
  const End end = plain_end();
  write_file(folder / "end", end.checkpoint);
  const SafetensorsReader file(folder / "end");
  EXPECT_EQ(file.metadata().at("parameters"),
            R"([{"name":"a","offset":0,"shape":[2,3]},{"name":"b","offset":6,"shape":[5]},)"
            R"({"name":"c","offset":11,"shape":[2]}])");
  EXPECT_EQ(file.metadata().at("statistics"),
            R"([{"name":"steps","offset":0,"shape":[1]},{"name":"sums","offset":1,"shape":[1,2]}])");
  EXPECT_EQ(file.info("x").shape, (std::vector<std::int64_t>{kReplicas * kNodes, 13}));
  EXPECT_EQ(file.info("memory of own").shape, (std::vector<std::int64_t>{kReplicas * kNodes, 2}));
  const std::vector<double> memory = file.read<double>("memory of own");
  const std::vector<float> statistics = file.read<float>("statistics");
  ASSERT_EQ(statistics.size(), 3u * kReplicas * kNodes);
  for (int row = 0; row < kReplicas * kNodes; ++row) {
    EXPECT_EQ(statistics[3 * row], 9) << "steps of row " << row;
    EXPECT_EQ(memory[2 * row], 9) << "steps of row " << row;
  }
  const std::string header = metrics_header({"distance", "accuracy"});
  EXPECT_TRUE(header.ends_with(",bytes_dense,distance_mean,distance_min,distance_max,distance_mean_model")) << header;
  for (const std::string& line : end.lines)
    EXPECT_EQ(std::ranges::count(line, ','), std::ranges::count(header, ',')) << line;
}

TEST(OwnTask, DescendsToItsTargets) {
  OwnRun run;
  run.config.run.steps = 1;
  emulate_on(tested_cpu(1), experiment_of(run), [](Emulator<Cpu>& e) {
    const double before = *e.measure(false).front().test_loss;
    advance(e, 1);
    const MetricsRow after = e.measure(false).front();
    EXPECT_LT(*after.test_loss, before);
    EXPECT_NEAR(*after.train_loss, before, 1e-12 * before) << "at the z where the gradient was taken";
    ASSERT_EQ(after.other_scores.size(), 1u);
    EXPECT_NEAR(after.other_scores[0].mean, 2 * *after.test_loss, 1e-12 * before);
    EXPECT_TRUE(after.accuracy);
  });
}

}  // namespace
}  // namespace sparsepush
