// What the two kinds of tasks answer before there is a backend.
#include "models/task.h"

#include <gtest/gtest.h>

#include <set>

#include "models/network_task.h"
#include "models/quadratic_task.h"
#include "tests/host/config/config_file.h"
#include "tests/host/emulation.h"

namespace sparsepush {
namespace {

TEST(NetworkTask, AllNodesOfAReplicaStartEqual) {
  const NetworkTask task({.nodes = 3});
  const RowLayout layout = row_layout_of(task.parameters());
  std::vector<float> rows[3];
  for (int i = 0; i < 3; ++i) {
    rows[i].resize(layout.row);
    task.initialize(i < 2 ? 5 : 6, i, rows[i].data());
  }
  EXPECT_EQ(rows[0], rows[1]);
  EXPECT_NE(rows[0], rows[2]);
}

TEST(NetworkTask, SaysWhatItsRunsAre) {
  NetworkTask task({.nodes = 3, .replicas = 2});
  EXPECT_EQ(task.steps_per_epoch(), (1498 + 3 * 16 - 1) / (3 * 16));
  EXPECT_EQ(task.scores(), std::vector<std::string>{"accuracy"});
  EXPECT_EQ(elements_of(task.parameters()), 64 * 64 + 64 + 64 * 10 + 10);
  EXPECT_TRUE(task.statistics().empty());
  task.prepare();
  const std::string table = task.partition_table({0, 2});
  EXPECT_TRUE(table.starts_with("replica,node,samples,class_0,class_1,")) << table;
  EXPECT_EQ(std::ranges::count(table, '\n'), 1 + 2 * 3);
}

TEST(QuadraticTask, NamesItsSegmentsAndHasNeitherEpochsNorScores) {
  const auto parameters_of = [](const std::vector<std::int64_t>& segments) {
    const QuadraticFile file(4, segments, 1);
    TaskSettings settings{.nodes = 4};
    settings.data.file = file.path();
    const QuadraticTask task(settings);
    EXPECT_EQ(task.steps_per_epoch(), 0);
    EXPECT_TRUE(task.scores().empty() && task.partition_table({}).empty());
    return task.parameters();
  };
  const std::vector<Parameter> three = parameters_of({1, 5, 34});
  ASSERT_EQ(three.size(), 3u);
  EXPECT_EQ(three[2].name, "segment2");
  EXPECT_EQ(three[2].shape, std::vector<std::int64_t>{34});
  EXPECT_EQ(parameters_of({40})[0].name, "x");
}

class QuadraticTaskFile : public ConfigFile {};

TEST_F(QuadraticTaskFile, StartsWhereTheProblemSays) {
  const std::string path = (folder_ / "q").string();
  for (const bool per_node : {false, true}) {
    const std::vector<std::int64_t> shape = per_node ? std::vector<std::int64_t>{2, 3} : std::vector<std::int64_t>{3};
    const std::vector<float> ones(6, 1.0f), start = {1, 2, 3, 4, 5, 6};
    SafetensorsWriter file(path, {{"curvature", "F32", {2, 3}}, {"target", "F32", {2, 3}}, {"start", "F32", shape}},
                           {});
    file.write<float>("curvature", 0, ones);
    file.write<float>("target", 0, ones);
    file.write<float>("start", 0, std::span(start).first(per_node ? 6 : 3));
    file.commit();
    TaskSettings settings{.nodes = 2};
    settings.data.file = path;
    QuadraticTask task(settings);
    task.prepare();
    std::vector<float> row(4);
    task.initialize(7, 1, row.data());
    EXPECT_EQ(row, per_node ? (std::vector<float>{4, 5, 6, 0}) : (std::vector<float>{1, 2, 3, 0}));
    EXPECT_THROW(task.initialize(7, 2, row.data()), std::invalid_argument);
  }
}

/// A task of somebody else, of which nothing but its hash is asked.
class HashedTask : public Task {
 public:
  HashedTask(std::vector<std::string_view> keys, std::string identity)
      : keys_(std::move(keys)), identity_(std::move(identity)) {}
  std::vector<std::string_view> keys(int) const override { return keys_; }
  std::string identity() const override { return identity_; }
  std::vector<Parameter> parameters() const override { return {{"w", {3}}}; }
  void initialize(std::uint64_t, int, float*) const override {}
  std::unique_ptr<Gradients<Cpu>> make_gradients(const Cpu&, const Shard&) const override { return nullptr; }
  std::unique_ptr<Gradients<Cuda>> make_gradients(const Cuda&, const Shard&) const override { return nullptr; }

 private:
  std::vector<std::string_view> keys_;
  std::string identity_;
};

std::string hash_of(const Config& config, std::vector<std::string_view> keys, const std::string& identity) {
  return config_hash(config, HashedTask(std::move(keys), identity));
}

TEST(TaskHash, CountsTheKeysOfDataAndModelThatTheTaskListsAndItsIdentity) {
  Config config, other_batch, other_rate;
  other_batch.data.batch = 3;
  other_rate.optimizer.lr = 0.3;
  const std::string none = hash_of(config, {}, "");
  EXPECT_EQ(hash_of(other_batch, {}, ""), none);
  EXPECT_NE(hash_of(other_rate, {}, ""), none);
  EXPECT_NE(hash_of(config, {"data.batch"}, ""), none);
  EXPECT_NE(hash_of(config, {"data.batch"}, ""), hash_of(other_batch, {"data.batch"}, ""));
  EXPECT_NE(hash_of(config, {}, "mine"), none);
  EXPECT_NE(hash_of(config, {}, "mine"), hash_of(config, {}, "mine 2"));
}

using TaskHashOf = ConfigFile;

TEST_F(TaskHashOf, OurTasksIsThatOfTheConfiguration) {
  const QuadraticFile file(8, {3}, 1);
  std::set<std::string> different;
  for (const std::vector<std::string>& overrides : std::vector<std::vector<std::string>>{
           {},
           {"data.partition=skew", "data.skew=0.5"},
           {"data.partition=dirichlet", "data.alpha=0.5", "data.augment=true"},
           {"data.name=synthetic", "data.samples=600", "data.separation=2", "model.name=softmax"},
           {"model.hidden=[3, 4]", "data.batch=2"},
           {"model.name=resnet20", "model.norm=batch"},
           {"data.name=quadratic", "data.file=" + file.path(), "run.steps=3"}}) {
    const Experiment experiment(load("", overrides));
    EXPECT_EQ(experiment.hash(), config_hash(experiment.config()));
    different.insert(experiment.hash());
  }
  EXPECT_EQ(different.size(), 7u);
}

}  // namespace
}  // namespace sparsepush
