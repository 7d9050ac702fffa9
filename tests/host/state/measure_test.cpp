#include "host/state/measure.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "host/records/metrics.h"
#include "tests/host/emulation.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 5, kReplicas = 2, kSteps = 20;

double loss_of(NodeId id) { return 1 + id.node * id.node + 100 * id.replica; }
float statistic_of(NodeId id, int j) { return 1 + std::cos(static_cast<float>(100 * id.replica + 10 * id.node + j)); }
double accuracy_of(NodeId id) { return 0.75 - 0.125 * ((id.node + 1) % 4) + 0.01 * id.replica; }

double recall_of(NodeId id) { return 10 * accuracy_of(id) - 3; }

/// Scores that are known functions of the node, and of the replica for its mean model.
class KnownScores : public Gradients<Cpu> {
 public:
  explicit KnownScores(const Shard& shard) : shard_(shard) {
    for (int row = 0; row < shard.rows(); ++row)
      for (int j = 0; j < 3; ++j) statistics_.push_back(statistic_of(shard.id_of(row), j));
  }

  void compute(const Cpu&, const GradientIn&, const GradientOut&, std::int64_t) override {}
  void score_nodes(const Cpu&, const NodeParameters&, std::span<const int> nodes, MatrixView<double> score) override {
    scored += nodes.size();
    for (int i = 0; i < score.rows; ++i) write(score, i, shard_.id_of(nodes[i]), 1);
  }
  MatrixView<float> statistics() const override { return {const_cast<float*>(statistics_.data()), shard_.rows(), 3}; }
  void score_mean(const Cpu&, const MeanModel& mean, int first, MatrixView<double> score) override {
    means.emplace_back(mean.z.begin(), mean.z.end());
    mean_statistics.emplace_back(mean.statistics.begin(), mean.statistics.end());
    for (int i = 0; i < score.rows; ++i) write(score, i, shard_.id_of(first + i), 2);
  }

  std::size_t scored = 0;                                   ///< nodes on their own
  std::vector<std::vector<double>> means, mean_statistics;  ///< [replicas] that were scored

 private:
  static void write(MatrixView<double> score, int row, NodeId id, double factor) {
    const double values[] = {factor * loss_of(id), recall_of(id) + factor, accuracy_of(id) / factor};
    std::copy_n(values, score.cols, score.row(row));
  }

  const Shard shard_;
  std::vector<float> statistics_;  ///< [rows, 3]
};

/// Nine parameters in two tensors; its gradients are not made by it here.
class KnownTask : public Task {
 public:
  explicit KnownTask(bool has_scores) : has_scores_(has_scores) {}

  std::vector<Parameter> parameters() const override { return {{"a", {2, 3}}, {"b", {3}}}; }
  std::vector<std::string> scores() const override {
    return has_scores_ ? std::vector<std::string>{"recall", "accuracy"} : std::vector<std::string>{};
  }
  void initialize(std::uint64_t, int, float*) const override {}
  std::unique_ptr<Gradients<Cpu>> make_gradients(const Cpu&, const Shard&) const override { return nullptr; }
  std::unique_ptr<Gradients<Cuda>> make_gradients(const Cuda&, const Shard&) const override { return nullptr; }

 private:
  bool has_scores_;
};

float x_of(NodeId id, int j) { return 3 + std::sin(static_cast<float>(100 * id.replica + 10 * id.node + j)); }
float error_of(NodeId id, int j) { return std::cos(static_cast<float>(7 * id.node + j)) * (2.0f + id.replica); }
double u_of(NodeId id) { return 1 + 0.3 * std::sin(1.0 + id.node + id.replica); }

/// Calls body(nodes, scores, measure) in every shard; measure() looks at the state as body has left it.
template <class Body>
void measure_on(int shards, int evaluated, std::int64_t step, Body body, bool has_scores = true) {
  Config config;
  config.run.nodes = kNodes;
  config.run.replicas = kReplicas;
  config.run.steps = kSteps;
  config.optimizer.lr = 0.25;
  config.algorithm.name = "scsp";
  config.algorithm.final_rounds = 5;
  config.evaluate.nodes = evaluated;
  const Experiment experiment(config, recipe_of(config), std::make_unique<KnownTask>(has_scores));
  run_shards<Cpu>(shards, kReplicas, kNodes, [&](Transport<Cpu>& transport) {
    const Cpu cpu = tested_cpu(1);
    const Shard& shard = transport.shard();
    Nodes<Cpu> nodes(cpu, transport, experiment.layout(), nodes_plan(experiment, kNodes));
    LossWindow<Cpu> window{.sum = {cpu, 1, shard.rows()}, .steps = 4};
    for (int row = 0; row < shard.rows(); ++row) {
      const NodeId id = shard.id_of(row);
      for (int j = 0; j < 9; ++j) {
        const int at = j < 6 ? j : j + 2;  // the row has padding
        nodes[state::x].row(row)[at] = x_of(id, j);
        nodes[state::error].row(row)[at] = error_of(id, j);
      }
      nodes.list(state::u)[row] = u_of(id);
      nodes.sent.view().row(kWireBytes)[row] = 1000 * id.replica + id.node;
      if (id.node == 0)
        for (const SentCount count : {kMessagesSent, kAuthorsBytes, kCoo32Bytes, kDenseBytes})
          nodes.sent.view().row(count)[row] = 1000 * (count + 1) + id.replica;
      if (id.node == kNodes - 1) nodes.sent.view().row(kDenseBytes)[row] = 1;
      window.sum.span()[row] = 4 * loss_of(id);
    }
    KnownScores scores(shard);
    body(nodes, scores, [&](const std::vector<int>& replicas = {0, 1}) {
      return measure_nodes<Cpu>(cpu, experiment, scores, nodes, window, {step, replicas});
    });
  });
}

/// The nodes of a replica, and its mean model sum x / sum u.
struct Replica {
  explicit Replica(int replica) {
    for (int node = 0; node < kNodes; ++node) ids.push_back({replica, node}), u_sum += u_of(ids.back());
    for (int j = 0; j < 9; ++j) {
      mean.push_back(0);
      for (const NodeId id : ids) mean.back() += x_of(id, j) / u_sum;
    }
  }
  std::vector<NodeId> ids;
  std::vector<double> mean;
  double u_sum = 0;
};

TEST(Measure, FollowsTheDefinitionsOnAnyNumberOfShards) {
  for (const int shards : {1, 2, 5})
    measure_on(shards, 0, 12, [](Nodes<Cpu>&, KnownScores& scores, auto measure) {
      const std::vector<MetricsRow> rows = measure();
      ASSERT_EQ(rows.size(), 2u);
      for (int r = 0; r < kReplicas; ++r) {
        const MetricsRow& row = rows[r];
        const Replica replica(r);
        double distance = 0, norm = 0, x_norm = 0, error_norm = 0, loss = 0, accuracy = 0;
        std::vector<double> u, accuracies;
        for (const NodeId id : replica.ids) {
          for (int j = 0; j < 9; ++j) {
            distance += std::pow(x_of(id, j) / u_of(id) - replica.mean[j], 2);
            x_norm += std::pow(x_of(id, j), 2);
            error_norm += std::pow(error_of(id, j), 2);
          }
          u.push_back(u_of(id));
          loss += loss_of(id) / kNodes;
          accuracy += accuracy_of(id) / kNodes;
          accuracies.push_back(accuracy_of(id));
        }
        for (int j = 0; j < 9; ++j) {
          norm += replica.mean[j] * replica.mean[j];
          EXPECT_NEAR(scores.means[r][j < 6 ? j : j + 2], replica.mean[j], 1e-14);
        }
        ASSERT_EQ(scores.mean_statistics[r].size(), 3u);
        for (int j = 0; j < 3; ++j) {
          double sum = 0;
          for (const NodeId id : replica.ids) sum += statistic_of(id, j);
          EXPECT_EQ(scores.mean_statistics[r][j], sum / kNodes) << "each node counts alike, whatever its u";
        }
        EXPECT_EQ(row.replica, r);
        EXPECT_EQ(row.step, 12);
        EXPECT_FALSE(row.epoch) << "the problem has none";
        EXPECT_EQ(row.lr, 0.25);
        EXPECT_NEAR(row.u_sum, replica.u_sum, 1e-14);
        EXPECT_EQ(row.u_min, std::ranges::min(u));
        EXPECT_EQ(row.u_max, std::ranges::max(u));
        EXPECT_NEAR(*row.consensus, std::sqrt(distance / kNodes / norm), 1e-14);
        EXPECT_NEAR(*row.error_ratio, std::sqrt(error_norm / x_norm), 1e-14);
        EXPECT_NEAR(*row.train_loss, loss, 1e-12);
        EXPECT_NEAR(*row.test_loss, loss, 1e-12);
        EXPECT_NEAR(*row.loss_mean_model, 2 * loss, 1e-12);
        EXPECT_NEAR(row.accuracy->mean, accuracy, 1e-14);
        EXPECT_EQ(row.accuracy->min, std::ranges::min(accuracies));
        EXPECT_EQ(row.accuracy->max, std::ranges::max(accuracies));
        EXPECT_NEAR(row.accuracy->mean_model, accuracy / 2, 1e-14);
        ASSERT_EQ(row.other_scores.size(), 1u);
        EXPECT_NEAR(row.other_scores[0].mean, 10 * accuracy - 2, 1e-13);
        EXPECT_NEAR(row.other_scores[0].min, 10 * row.accuracy->min - 2, 1e-13);
        EXPECT_NEAR(row.other_scores[0].max, 10 * row.accuracy->max - 2, 1e-13);
        EXPECT_NEAR(row.other_scores[0].mean_model, 10 * accuracy - 1, 1e-13);
        EXPECT_EQ(row.messages, 1000 + r);
        EXPECT_EQ(row.bytes_authors, 2000 + r);
        EXPECT_EQ(row.bytes_coo32, 3000 + r);
        EXPECT_EQ(row.bytes_dense, 5000 + r + 1);
        EXPECT_EQ(row.bytes_wire, 5000 * r + 0 + 1 + 2 + 3 + 4);
      }
    });
}

TEST(Measure, ScoresNodesSpreadOverAllIfToldHowMany) {
  for (const int shards : {1, 3})
    measure_on(shards, 2, 0, [](Nodes<Cpu>&, KnownScores& scores, auto measure) {
      const std::vector<MetricsRow> rows = measure();
      EXPECT_LE(scores.scored, 2u * kReplicas);
      for (int r = 0; r < kReplicas; ++r) {
        EXPECT_EQ(rows[r].test_loss, (loss_of({r, 1}) + loss_of({r, 3})) / 2);
        EXPECT_EQ(rows[r].accuracy->min, accuracy_of({r, 1}));
        EXPECT_EQ(rows[r].accuracy->max, accuracy_of({r, 3}));
        ASSERT_EQ(rows[r].nodes.size(), 2u);
        for (const int k : {0, 1}) {
          EXPECT_EQ(rows[r].nodes[k].node, 2 * k + 1);
          EXPECT_EQ(rows[r].nodes[k].loss, loss_of({r, 2 * k + 1}));
          EXPECT_EQ(rows[r].nodes[k].accuracy, accuracy_of({r, 2 * k + 1}));
        }
      }
    });
}

TEST(Measure, LeavesOutReplicasThatAreNotWanted) {
  for (const int shards : {1, 2})
    measure_on(shards, 0, 12, [](Nodes<Cpu>& nodes, KnownScores& scores, auto measure) {
      const std::vector<MetricsRow> both = measure();
      const std::size_t scored = scores.scored;
      const MatrixView<float> lost = nodes[state::x].rows_from(0, nodes.shard.nodes());
      std::fill_n(lost.data, lost.size(), std::numeric_limits<float>::quiet_NaN());
      const std::vector<MetricsRow> second = measure({1});
      ASSERT_EQ(second.size(), 1u);
      EXPECT_EQ(metrics_line(second[0]), metrics_line(both[1]));
      EXPECT_EQ(node_lines(second[0]), node_lines(both[1]));
      EXPECT_EQ(scores.scored, scored + scored / 2);
    });
}

TEST(Measure, LeavesOutWhatIsUndefined) {
  constexpr bool kHasScores = false;
  measure_on(
      1, 0, kSteps,
      [](Nodes<Cpu>&, KnownScores&, auto measure) {
        const MetricsRow row = measure().front();
        EXPECT_TRUE(row.lr && row.train_loss && row.test_loss) << "the last SGD step has a learning rate";
        EXPECT_FALSE(row.accuracy);
        EXPECT_TRUE(row.other_scores.empty());
      },
      kHasScores);
  measure_on(1, 0, kSteps + 1, [](Nodes<Cpu>& nodes, KnownScores&, auto measure) {
    EXPECT_FALSE(measure().front().lr || measure().front().train_loss) << "a final round";
    clear(nodes.backend, nodes[state::x].data, nodes[state::x].size() * sizeof(float));
    EXPECT_FALSE(measure().front().consensus || measure().front().error_ratio) << "a mean model of norm 0";
  });
}

TEST(Measure, NamesTheNodeWhoseParametersAreNotFinite) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
    for (const bool are_runs : {false, true}) {
      const QuadraticFile file(kNodes, {9}, 1);
      Config config = gossip_config(file, kNodes, "complete");
      config.run.replicas = are_runs ? 1 : kReplicas;
      Experiment experiment(std::vector<Config>(are_runs ? kReplicas : 1, config));
      experiment.prepare_data();
      emulate_on(tested_cpu(1), experiment, [&](Emulator<Cpu>& e) {
        advance(e, 3);
        e.nodes()[state::x].row(kNodes + 2)[1] = bad;  // node 2 of replica 1
        std::string line;
        try {
          const std::vector<MetricsRow> rows = e.measure(true);
          ASSERT_TRUE(are_runs);
          ASSERT_EQ(rows.size(), 1u);
          EXPECT_EQ(rows[0].replica, 0);
          EXPECT_EQ(e.lost()[0], "");
          line = e.lost()[1];
        } catch (const Diverged& diverged) {
          EXPECT_FALSE(are_runs);
          line = diverged.what();
        }
        EXPECT_TRUE(line.starts_with("diverged at step 3: the parameters of node 2 are not finite")) << line;
      });
    }
}

}  // namespace
}  // namespace sparsepush
