#include "host/state/running_statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/sets/digits.h"
#include "kernels/backend/random.h"
#include "models/network_gradients.h"
#include "models/resnet20.h"
#include "tests/host/emulation.h"
#include "tests/models/scores.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 5, kReplicas = 2;

/// ResNet-20 on the digits: two SGD steps, three final rounds.
Config digits_config(const std::string& algorithm, const std::string& final_statistics = "average") {
  Config config;
  config.run.nodes = kNodes;
  config.run.replicas = kReplicas;
  config.run.steps = 2;
  config.run.threads = 2;
  config.data.batch = 4;
  config.data.augment = true;
  config.model = {.name = "resnet20", .hidden = {}, .norm = "batch"};
  config.algorithm.name = algorithm;
  config.algorithm.final_rounds = 3;
  config.algorithm.final_statistics = final_statistics;
  return config;
}

std::vector<float> host_copy(MatrixView<const float> view) { return {view.data, view.data + view.size()}; }

float statistic_of(NodeId id, int j) { return std::sin(static_cast<float>(1000 * id.replica + 30 * id.node + j)); }

TEST(AverageStatistics, GiveEveryNodeTheMeanOfItsReplicaOnAnyNumberOfShards) {
  Experiment experiment(digits_config("none"));
  experiment.prepare_data();
  for (const int shards : {1, 2, 5})
    run_shards<Cpu>(shards, kReplicas, kNodes, [&](Transport<Cpu>& transport) {
      const Cpu cpu = tested_cpu(1);
      Emulator<Cpu> e(cpu, experiment, transport);
      const MatrixView<float> statistics = e.gradients().statistics();
      const Shard& shard = transport.shard();
      ASSERT_EQ(statistics.rows, shard.rows());
      ASSERT_EQ(statistics.cols, 2 * (7 * 16 + 6 * 32 + 6 * 64)) << "means and variances of all channels";
      for (int row = 0; row < statistics.rows; ++row)
        for (int j = 0; j < statistics.cols; ++j) statistics.row(row)[j] = statistic_of(shard.id_of(row), j);
      average_statistics(statistics, e.nodes());
      for (int row = 0; row < statistics.rows; ++row)
        for (int j = 0; j < statistics.cols; ++j) {
          double sum = 0;
          for (int i = 0; i < kNodes; ++i) sum += statistic_of({shard.id_of(row).replica, i}, j);
          ASSERT_EQ(statistics.row(row)[j], static_cast<float>(sum / kNodes)) << row << ", " << j;
        }
    });
}

TEST(FinalStatistics, AreAveragedAfterTheLastRoundOnly) {
  emulate(digits_config("scsp"), [](Emulator<Cpu>& e) {
    const MatrixView<float> statistics = e.gradients().statistics();
    advance(e, 2);
    const std::vector<float> trained = host_copy(statistics);
    EXPECT_NE(statistics.row(0)[0], statistics.row(1)[0]) << "nodes have different samples";
    advance(e, 2);
    EXPECT_EQ(host_copy(statistics), trained);
    advance(e, 1);
    for (int row = 0; row < statistics.rows; ++row)
      for (int j = 0; j < statistics.cols; ++j) {
        double sum = 0;
        for (int i = 0; i < kNodes; ++i) sum += trained[(row / kNodes * kNodes + i) * statistics.cols + j];
        ASSERT_EQ(statistics.row(row)[j], static_cast<float>(sum / kNodes)) << row << ", " << j;
      }
  });
}

TEST(FinalStatistics, AreReestimatedWithTheMergedModel) {
  emulate(digits_config("scsp", "local"), [](Emulator<Cpu>& e) {
    const MatrixView<float> statistics = e.gradients().statistics();
    advance(e, 2);
    const std::vector<float> trained = host_copy(statistics);
    advance(e, 2);
    EXPECT_EQ(host_copy(statistics), trained);
    advance(e, 1);
    const std::vector<float> merged = host_copy(statistics);
    EXPECT_NE(merged, trained);
    auto again = e.experiment().task().make_gradients(e.nodes().backend, e.nodes().shard);
    again->reestimate_statistics(e.nodes().backend, {.x = e.nodes()[state::x], .u = e.nodes().list(state::u)});
    EXPECT_EQ(merged, host_copy(again->statistics()));
  });
}

TEST(FinalStatistics, OtherMethodsKeepTheirs) {
  emulate(digits_config("sparse_push"), [](Emulator<Cpu>& e) {
    advance(e, 2);
    EXPECT_NE(e.gradients().statistics().row(0)[0], e.gradients().statistics().row(1)[0]);
  });
}

/// Three nodes of ResNet-20 on digits: with some samples beyond whole batches, with fewer than one batch, with one.
struct Fixture {
  static constexpr int kBatch = 6;
  explicit Fixture(bool augment) : gradients(cpu, task(augment)), x(cpu, 3, static_cast<int>(network.layout.row)) {
    for (int node = 0; node < 3; ++node) {
      initialize_network(network, task(augment).seed[node], x.view().row(node));
      for (float& v : std::span(x.view().row(node), x.view().cols)) v *= 1 + 0.1f * static_cast<float>(node);
    }
  }
  LocalTask task(bool augment) const {
    LocalTask t{.network = network,
                .data = data,
                .owned = Partition(3),
                .seed = {5, 5, 6},
                .identity = {1, 2, 1},
                .batch = kBatch,
                .augment = augment};
    const std::vector<int> counts = {3 * kBatch + 2, kBatch - 1, kBatch};
    for (int node = 0; node < 3; ++node)
      for (int i = 0; i < counts[node]; ++i) t.owned[node].push_back(100 * node + 7 * i);
    return t;
  }
  NodeParameters at() const { return {.x = x.view(), .u = u}; }

  Cpu cpu = tested_cpu(2);
  Dataset data = load_digits();
  Network network = make_resnet20(data.image, data.classes, Norm::kBatch);
  NetworkGradients<Cpu> gradients;
  Buffer<Cpu, float> x;
  std::vector<double> u = {1.0, 0.41, 1.7};
};

constexpr int kBatchesOf[] = {3, 1, 1};  // of Fixture's nodes

/// The statistics of one batch, from what an SGD step adds to the running ones.
std::vector<double> statistics_of_batch(Fixture& f, std::int64_t step) {
  const std::vector<float> before = host_copy(f.gradients.statistics());
  Buffer<Cpu, float> gradient(f.cpu, 3, f.x.view().cols);
  std::vector<double> loss(3), batch;
  f.gradients.compute(f.cpu, {.at = f.at(), .step = &step}, {gradient.view(), loss}, step);
  const std::vector<float> after = host_copy(f.gradients.statistics());
  for (std::size_t j = 0; j < after.size(); ++j) batch.push_back((after[j] - 0.9 * before[j]) / 0.1);
  return batch;
}

TEST(ReestimatedStatistics, AreMeansOverTheBatchesOfTheFirstPass) {
  for (const bool augment : {false, true}) {
    Fixture f(augment);
    const int columns = f.gradients.statistics().cols;
    std::vector<double> mean(3 * columns);
    for (int b = 0; b < 3; ++b) {
      const std::vector<double> batch = statistics_of_batch(f, b);
      for (int node = 0; node < 3; ++node)
        for (int j = node * columns; j < (node + 1) * columns; ++j)
          if (b < kBatchesOf[node]) mean[j] += batch[j] / kBatchesOf[node];
    }
    f.gradients.reestimate_statistics(f.cpu, f.at());
    const std::vector<float> found = host_copy(f.gradients.statistics());
    for (std::size_t j = 0; j < mean.size(); ++j) ASSERT_NEAR(found[j], mean[j], 1e-4 + 1e-5 * std::abs(mean[j])) << j;
  }
}

/// conv1's output for one channel of a sample, by the definition.
std::vector<double> first_channel(const Fixture& f, int node, int channel, int sample) {
  std::vector<double> out;
  const float* weight = f.x.view().row(node) + f.network.layout.segments[0].begin + channel * 9;
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x) {
      double sum = 0;
      for (int k = 0; k < 9; ++k) {
        const int row = y + k / 3 - 1, column = x + k % 3 - 1;
        if (row < 0 || row > 7 || column < 0 || column > 7) continue;
        const double byte = f.data.train.bytes[sample * 64 + row * 8 + column];
        sum += weight[k] / f.u[node] * (f.data.channel[0].scale * byte + f.data.channel[0].offset);
      }
      out.push_back(sum);
    }
  return out;
}

TEST(ReestimatedStatistics, OfTheFirstLayerFollowTheDefinition) {
  Fixture f(false);
  f.gradients.reestimate_statistics(f.cpu, f.at());
  const LocalTask task = f.task(false);
  for (int node = 0; node < 3; ++node)
    for (int channel = 0; channel < 16; ++channel) {
      double mean = 0, variance = 0;
      for (int b = 0; b < kBatchesOf[node]; ++b) {
        std::vector<double> values;
        for (int i = b * Fixture::kBatch; i < (b + 1) * Fixture::kBatch; ++i) {
          const std::uint64_t count = task.owned[node].size(), pass = i / count;
          const Draw draw{.seed = task.seed[node],
                          .purpose = Purpose::kShuffle,
                          .node = static_cast<std::uint64_t>(task.identity[node]),
                          .step = pass};
          const int sample = task.owned[node][random_permutation(draw, i % count, count)];
          for (const double v : first_channel(f, node, channel, sample)) values.push_back(v);
        }
        const auto count = static_cast<double>(values.size());
        const double batch_mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
        double squares = 0;
        for (const double v : values) squares += (v - batch_mean) * (v - batch_mean);
        mean += batch_mean / kBatchesOf[node];
        variance += squares / (count - 1) / kBatchesOf[node];
      }
      const float* found = f.gradients.statistics().row(node);
      EXPECT_NEAR(found[channel], mean, 1e-5) << "node " << node << ", channel " << channel;
      EXPECT_NEAR(found[16 + channel], variance, 1e-5 * variance) << "node " << node << ", channel " << channel;
    }
}

TEST(ReestimatedStatistics, DependNeitherOnTheOldOnesNorOnThreads) {
  Fixture f(true);
  f.gradients.reestimate_statistics(f.cpu, f.at());
  const std::vector<float> first = host_copy(f.gradients.statistics());
  std::ranges::fill(std::span(f.gradients.statistics().data, f.gradients.statistics().size()), 7.0f);
  f.gradients.reestimate_statistics(tested_cpu(1), f.at());
  EXPECT_EQ(host_copy(f.gradients.statistics()), first);
}

/// With u = 1 x is z, so a node's model and statistics score as the mean model what the node scores.
TEST(MeanModel, IsTestedWithItsOwnStatistics) {
  Fixture f(false);
  f.u = {1.0, 1.0, 1.0};
  f.gradients.reestimate_statistics(f.cpu, f.at());
  Scores own(2);
  f.gradients.score_nodes(f.cpu, f.at(), std::vector<int>{0, 1}, own.view());
  EXPECT_NE(own.loss(0), own.loss(1));
  for (int node = 0; node < 2; ++node) {
    const auto as_doubles = [node](MatrixView<const float> rows) {
      return std::vector<double>(rows.row(node), rows.row(node) + rows.cols);
    };
    const std::vector<double> z = as_doubles(f.x.view()), statistics = as_doubles(f.gradients.statistics());
    Scores mean(1);
    f.gradients.score_mean(f.cpu, {.z = z, .statistics = statistics}, 0, mean.view());
    EXPECT_EQ(mean.loss(0), own.loss(node));
    EXPECT_EQ(mean.accuracy(0), own.accuracy(node));
  }
}

TEST(StatisticsTensors, AreNamedAsInPyTorchAndFillTheRow) {
  const Fixture f(false);
  const std::vector<Parameter>& tensors = f.network.statistics_tensors;
  ASSERT_EQ(tensors.size(), 2u * 19);
  EXPECT_EQ(tensors[0].name, "bn1.running_mean");
  EXPECT_EQ(tensors[1].name, "bn1.running_var");
  EXPECT_EQ(tensors.back().name, "layer3.2.bn2.running_var");
  std::int64_t columns = 0;
  for (const Parameter& tensor : tensors) columns += tensor.shape.at(0);
  EXPECT_EQ(columns, f.gradients.statistics().cols);
}

}  // namespace
}  // namespace sparsepush
