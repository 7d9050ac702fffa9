#include "models/network_gradients.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "data/sets/synthetic.h"
#include "kernels/backend/random.h"
#include "models/mlp.h"
#include "models/softmax.h"
#include "tests/models/scores.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

constexpr int kBatch = 7;

/// Two replicas of a shard with two nodes, the second and third of their replicas.
struct Fixture {
  explicit Fixture(const std::vector<std::int64_t>& hidden, int threads = 2)
      : cpu(tested_cpu(threads)),
        network(hidden.empty() ? make_softmax(9, 4) : make_mlp(9, hidden, 4)),
        gradients(cpu, task()) {
    const int row = static_cast<int>(network.layout.row);
    x.resize(4 * row);
    for (int node = 0; node < 4; ++node) {
      initialize_network(network, task().seed[node], x.data() + node * row);
      for (int j = 0; j < row; ++j) x[node * row + j] *= 1 + 0.01f * static_cast<float>(node);  // so that nodes differ
    }
  }
  LocalTask task() const {
    LocalTask t{.network = network,
                .data = data,
                .owned = Partition(4),
                .seed = {5, 5, 6, 6},
                .identity = {1, 2, 1, 2},
                .batch = kBatch};
    for (int i = 0; i < data.train.count; ++i) t.owned[i % 17 == 0 ? 3 : i % 3].push_back(i);
    return t;
  }
  int row() const { return static_cast<int>(network.layout.row); }
  NodeParameters at() const { return {.x = {x.data(), 4, row()}, .u = u}; }
  std::vector<float> compute(std::int64_t step, std::vector<double>& loss) {
    std::vector<float> gradient(x.size(), 0.f);
    gradients.compute(cpu, {.at = at(), .step = &step}, {{gradient.data(), 4, row()}, loss}, step);
    return gradient;
  }

  Cpu cpu;
  Dataset data = make_synthetic({.samples = 400, .features = 9, .classes = 4, .separation = 3});
  Network network;
  NetworkGradients<Cpu> gradients;
  std::vector<float> x;
  std::vector<double> u = {1.0, 0.41, 1.7, 1.0};
};

/// Padded row of a node's z in double.
std::vector<double> z_of(const Fixture& f, int node) {
  std::vector<double> z(f.row());
  for (int j = 0; j < f.row(); ++j)
    z[j] = static_cast<double>(f.x[node * f.row() + j]) * static_cast<float>(1.0 / f.u[node]);
  return z;
}

/// Logits of one sample, layer by layer, from the tensors that the layout and the parameter shapes name.
std::vector<double> naive_logits(const Fixture& f, const std::vector<double>& z, std::vector<double> input) {
  const auto& parameters = f.network.parameters;
  for (std::size_t p = 0; p < parameters.size(); p += 2) {
    const double* weight = z.data() + f.network.layout.segments[p].begin;
    const double* bias = z.data() + f.network.layout.segments[p + 1].begin;
    std::vector<double> output(parameters[p].shape[0]);
    for (std::size_t o = 0; o < output.size(); ++o) {
      output[o] = bias[o];
      for (std::size_t i = 0; i < input.size(); ++i) output[o] += weight[o * input.size() + i] * input[i];
      if (p + 2 < parameters.size()) output[o] = std::max(output[o], 0.0);
    }
    input = output;
  }
  return input;
}

double naive_loss(const Fixture& f, const std::vector<double>& z, const SampleSet& set, std::span<const int> samples) {
  double sum = 0;
  for (const int sample : samples) {
    std::vector<double> input(f.data.features);
    for (int i = 0; i < f.data.features; ++i)
      input[i] = static_cast<double>(f.data.channel[0].scale) * set.bytes[sample * f.data.features + i] +
                 f.data.channel[0].offset;
    const std::vector<double> logits = naive_logits(f, z, input);
    double exponentials = 0;
    for (const double logit : logits) exponentials += std::exp(logit);
    sum += std::log(exponentials) - logits[set.label[sample]];
  }
  return sum / static_cast<double>(samples.size());
}

/// The training samples of a node's batch.
std::vector<int> naive_batch(const Fixture& f, int node, std::uint64_t step) {
  const LocalTask t = f.task();
  std::vector<int> batch;
  const std::uint64_t owned = t.owned[node].size();
  for (std::uint64_t p = step * kBatch; p < (step + 1) * kBatch; ++p) {
    const Draw draw{.seed = t.seed[node],
                    .purpose = Purpose::kShuffle,
                    .node = static_cast<std::uint64_t>(t.identity[node]),
                    .step = p / owned};
    batch.push_back(t.owned[node][random_permutation(draw, p % owned, owned)]);
  }
  return batch;
}

class NetworkGradientsOf : public testing::TestWithParam<std::vector<std::int64_t>> {};

TEST_P(NetworkGradientsOf, AgreeWithFiniteDifferencesAtZ) {
  Fixture f(GetParam());
  for (const std::uint64_t step : {0, 40}) {  // the second one after passes over the samples
    std::vector<double> loss(4, 3.0);
    const std::vector<float> gradient = f.compute(step, loss);
    for (int node = 0; node < 4; ++node) {
      const std::vector<int> batch = naive_batch(f, node, step);
      std::vector<double> z = z_of(f, node);
      EXPECT_NEAR(loss[node], 3 + naive_loss(f, z, f.data.train, batch), 1e-5);
      for (const Segment& s : f.network.layout.segments)
        for (std::int64_t j = s.begin; j < s.begin + s.size; ++j) {
          constexpr double kStep = 1e-6;
          const double middle = z[j];
          z[j] = middle + kStep;
          const double above = naive_loss(f, z, f.data.train, batch);
          z[j] = middle - kStep;
          const double below = naive_loss(f, z, f.data.train, batch);
          z[j] = middle;
          ASSERT_NEAR(gradient[node * f.row() + j], (above - below) / (2 * kStep), 3e-6)
              << "node " << node << ", " << j;
        }
    }
  }
}

TEST_P(NetworkGradientsOf, LeavePaddingZero) {
  Fixture f(GetParam());
  std::vector<double> loss(4);
  std::vector<float> gradient = f.compute(1, loss);
  for (int node = 0; node < 4; ++node) {
    for (const Segment& s : f.network.layout.segments)
      std::fill_n(gradient.begin() + node * f.row() + s.begin, s.size, 0.f);
  }
  EXPECT_EQ(gradient, std::vector<float>(gradient.size(), 0.f));
}

TEST_P(NetworkGradientsOf, DoNotDependOnTheNumberOfThreads) {
  Fixture one(GetParam(), 1), two(GetParam(), 2);
  std::vector<double> loss_one(4), loss_two(4);
  EXPECT_EQ(one.compute(3, loss_one), two.compute(3, loss_two));
  EXPECT_EQ(loss_one, loss_two);
}

TEST_P(NetworkGradientsOf, ScoreTheWholeTestSet) {
  Fixture f(GetParam());
  std::vector<int> tests(f.data.test.count);
  for (int i = 0; i < f.data.test.count; ++i) tests[i] = i;
  const std::vector<int> nodes = {2, 0, 1};
  Scores score(3);
  f.gradients.score_nodes(f.cpu, f.at(), nodes, score.view());
  for (int i = 0; i < 3; ++i) {
    const std::vector<double> z = z_of(f, nodes[i]);
    EXPECT_NEAR(score.loss(i), naive_loss(f, z, f.data.test, tests), 1e-5);
    int correct = 0;
    for (const int test : tests) {
      std::vector<double> input(9);
      for (int k = 0; k < 9; ++k)
        input[k] = f.data.channel[0].scale * f.data.test.bytes[test * 9 + k] + f.data.channel[0].offset;
      const std::vector<double> logits = naive_logits(f, z, input);
      correct += std::max_element(logits.begin(), logits.end()) - logits.begin() == f.data.test.label[test];
    }
    EXPECT_EQ(score.accuracy(i), static_cast<double>(correct) / f.data.test.count);
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, NetworkGradientsOf,
                         testing::Values(std::vector<std::int64_t>{}, std::vector<std::int64_t>{6},
                                         std::vector<std::int64_t>{5, 11}));

TEST(NetworkGradients, ScoreTheMeanModelRoundedToFloatForAllNodesAlike) {
  Fixture f({6});
  std::vector<double> mean(f.row());
  for (int j = 0; j < f.row(); ++j) mean[j] = f.x[j] * (1 + 1e-12);
  Scores alike(2), node(1);
  f.gradients.score_mean(f.cpu, {.z = mean, .statistics = {}}, 2, alike.view());
  f.gradients.score_nodes(f.cpu, f.at(), std::vector<int>{0}, node.view());
  for (const int i : {0, 1}) {
    EXPECT_EQ(alike.loss(i), node.loss(0));
    EXPECT_EQ(alike.accuracy(i), node.accuracy(0));
  }
}

TEST(NetworkGradients, AreTakenAtXWhereThereIsNoU) {
  Fixture f({6});
  f.u = {1, 1, 1, 1};
  std::vector<double> loss(4), loss_at_z(4);
  const std::vector<float> gradient = f.compute(2, loss);
  Scores score(4), score_at_z(4);
  const std::vector<int> all = {0, 1, 2, 3};
  f.gradients.score_nodes(f.cpu, f.at(), all, score.view());
  f.u.clear();
  EXPECT_EQ(f.compute(2, loss_at_z), gradient);
  EXPECT_EQ(loss_at_z, loss);
  f.gradients.score_nodes(f.cpu, f.at(), all, score_at_z.view());
  EXPECT_EQ(score_at_z.values, score.values);
}

TEST(Network, StartsUniformWithinTheInverseRootOfItsInputs) {
  const Network network = make_mlp(64, std::vector<std::int64_t>{400}, 10);
  std::vector<float> row(network.layout.row, 9);
  initialize_network(network, 3, row.data());
  const double bounds[] = {1 / 8.0, 1 / 8.0, 1 / 20.0, 1 / 20.0};
  for (int s = 0; s < 4; ++s) {
    const Segment& segment = network.layout.segments[s];
    double sum = 0, squares = 0, greatest = 0;
    for (std::int64_t j = segment.begin; j < segment.begin + segment.size; ++j) {
      sum += row[j];
      squares += static_cast<double>(row[j]) * row[j];
      greatest = std::max(greatest, std::abs(static_cast<double>(row[j])));
    }
    const double size = static_cast<double>(segment.size), deviation = bounds[s] / std::sqrt(3);
    EXPECT_LE(greatest, bounds[s]);
    EXPECT_GT(greatest, 0.6 * bounds[s]);
    EXPECT_NEAR(sum / size, 0, 4 * deviation / std::sqrt(size));
    EXPECT_NEAR(squares / size, deviation * deviation, 4 * deviation * deviation / std::sqrt(size));
  }
}

TEST(Network, HasTheNamesShapesAndSizeOfPyTorch) {
  const Network mlp = make_mlp(64, std::vector<std::int64_t>{16}, 10);
  EXPECT_EQ(mlp.layout.params, 1210);
  ASSERT_EQ(mlp.parameters.size(), 4u);
  EXPECT_EQ(mlp.parameters[0].name, "fc1.weight");
  EXPECT_EQ(mlp.parameters[0].shape, (std::vector<std::int64_t>{16, 64}));
  EXPECT_EQ(mlp.parameters[1].name, "fc1.bias");
  EXPECT_EQ(mlp.parameters[3].name, "fc2.bias");
  EXPECT_EQ(mlp.parameters[3].shape, (std::vector<std::int64_t>{10}));
  const Network softmax = make_softmax(64, 10);
  EXPECT_EQ(softmax.layout.params, 650);
  EXPECT_EQ(softmax.parameters[0].name, "fc.weight");
  EXPECT_EQ(softmax.parameters[1].name, "fc.bias");
}

TEST(Network, RefusesLayersThatCannotBe) {
  EXPECT_THROW(make_mlp(4, std::vector<std::int64_t>{}, 3), std::invalid_argument);
  EXPECT_THROW(make_mlp(4, std::vector<std::int64_t>{0}, 3), std::invalid_argument);
  EXPECT_THROW(make_mlp(4, std::vector<std::int64_t>{1ll << 40}, 3), std::invalid_argument);
  EXPECT_THROW(make_softmax(4, 0), std::invalid_argument);
  EXPECT_THROW(make_softmax(0, 4), std::invalid_argument);
}

TEST(NetworkGradients, LetNotANumberThroughToItsNodeOnly) {
  Fixture f({6});
  f.x[f.row() + 3] = std::numeric_limits<float>::quiet_NaN();
  std::vector<double> loss(4);
  f.compute(0, loss);
  EXPECT_TRUE(std::isnan(loss[1]));
  for (const int other : {0, 2, 3}) EXPECT_FALSE(std::isnan(loss[other]));
}

TEST(NetworkGradients, SayHowManyBytesTheirActivationsTake) {
  const Network network = make_mlp(9, std::vector<std::int64_t>{6}, 4);
  constexpr std::int64_t kEach = 100 * 4 * (9 + 1 + 2 * (6 + 4));
  EXPECT_EQ(NetworkGradients<Cpu>::wave_bytes(network, 100, 50), kEach) << "a worker takes one node at a time";
  EXPECT_EQ(NetworkGradients<Cuda>::wave_bytes(network, 100, 50), 50 * kEach);
  EXPECT_LE(NetworkGradients<Cuda>::wave_bytes(network, 100, 10'000'000), std::int64_t{2} << 30) << "but for memory";
}

TEST(NetworkGradients, AugmentTrainingSamplesAlone) {
  Fixture f({6}, 1);
  f.data.image = {.height = 3, .width = 3};
  LocalTask task = f.task();
  const auto loss_and_score = [&](bool augment) {
    task.augment = augment;
    NetworkGradients<Cpu> gradients(f.cpu, task);
    std::vector<double> loss(4);
    Scores score(4);
    const std::int64_t step = 2;
    std::vector<float> gradient(f.x.size());
    gradients.compute(f.cpu, {.at = f.at(), .step = &step}, {{gradient.data(), 4, f.row()}, loss}, step);
    gradients.score_nodes(f.cpu, f.at(), std::vector<int>{0, 1, 2, 3}, score.view());
    for (int i = 0; i < 4; ++i) loss.push_back(score.loss(i));
    return loss;
  };
  const std::vector<double> plain = loss_and_score(false), augmented = loss_and_score(true);
  for (int node = 0; node < 4; ++node) {
    EXPECT_NE(augmented[node], plain[node]) << "training, node " << node;
    EXPECT_EQ(augmented[4 + node], plain[4 + node]) << "test, node " << node;
  }
}

TEST(NetworkGradients, AreZeroAtNodesWithoutSamples) {
  const Fixture f({6});
  const auto compute = [&](const LocalTask& task, std::vector<double>& loss) {
    NetworkGradients<Cpu> gradients(f.cpu, task);
    std::vector<float> gradient(f.x.size(), 7.0f);
    const std::int64_t step = 1;
    gradients.compute(f.cpu, {.at = f.at(), .step = &step}, {{gradient.data(), 4, f.row()}, loss}, step);
    return gradient;
  };
  LocalTask some = f.task();
  some.owned[2].clear();
  std::vector<double> loss(4), some_loss(4);
  const std::vector<float> all = compute(f.task(), loss), found = compute(some, some_loss);
  for (int node = 0; node < 4; ++node) {
    EXPECT_EQ(some_loss[node], node == 2 ? 0 : loss[node]);
    for (int j = 0; j < f.row(); ++j) EXPECT_EQ(found[node * f.row() + j], node == 2 ? 0 : all[node * f.row() + j]);
  }
}

TEST(NetworkGradients, RefuseATaskThatDoesNotFit) {
  const Fixture f({6});
  const auto refuses = [&](auto change) {
    LocalTask task = f.task();
    change(task);
    EXPECT_THROW(NetworkGradients<Cpu>(f.cpu, task), std::invalid_argument);
  };
  refuses([](LocalTask& t) { t.owned[0][0] = -1; });
  refuses([](LocalTask& t) { t.owned[3][0] = 1 << 20; });
  refuses([](LocalTask& t) { t.seed.pop_back(); });
  refuses([](LocalTask& t) { t.identity.clear(); });
  refuses([](LocalTask& t) { t.batch = 0; });
  refuses([](LocalTask& t) { t.network = make_softmax(8, 4); });
  refuses([](LocalTask& t) { t.network = make_softmax(9, 3); });
  Dataset bad = f.data;
  bad.test.label[0] = 4;
  LocalTask task = f.task();
  const LocalTask with_bad{.network = task.network,
                           .data = bad,
                           .owned = task.owned,
                           .seed = task.seed,
                           .identity = task.identity,
                           .batch = task.batch};
  EXPECT_THROW(NetworkGradients<Cpu>(f.cpu, with_bad), std::invalid_argument);
  bad = f.data;
  bad.train.bytes.pop_back();
  EXPECT_THROW(NetworkGradients<Cpu>(f.cpu, with_bad), std::invalid_argument);
}

TEST(NetworkGradients, RefuseCallsThatDoNotFit) {
  Fixture f({6}, 1);
  std::vector<float> gradient(f.x.size());
  std::vector<double> loss(3);
  const std::int64_t step = 0;
  const auto compute = [&](const Cpu& cpu) {
    f.gradients.compute(cpu, {.at = f.at(), .step = &step}, {{gradient.data(), 4, f.row()}, loss}, step);
  };
  EXPECT_THROW(compute(f.cpu), std::invalid_argument);
  loss.resize(4);
  EXPECT_THROW(compute(tested_cpu(2)), std::invalid_argument);
  Scores one(1), no_accuracy(1, 1);
  const MatrixView<double> score = one.view();
  EXPECT_THROW(f.gradients.score_nodes(f.cpu, f.at(), std::vector<int>{0}, no_accuracy.view()), std::invalid_argument);
  EXPECT_THROW(f.gradients.score_nodes(f.cpu, f.at(), std::vector<int>{4}, score), std::invalid_argument);
  EXPECT_THROW(f.gradients.score_nodes(f.cpu, f.at(), std::vector<int>{0, 1}, score), std::invalid_argument);
  const std::vector<double> mean(f.row());
  const MeanModel too_short{.z = std::span(mean).first(3), .statistics = {}}, whole{.z = mean, .statistics = {}};
  EXPECT_THROW(f.gradients.score_mean(f.cpu, too_short, 0, score), std::invalid_argument);
  EXPECT_THROW(f.gradients.score_mean(f.cpu, whole, 4, score), std::invalid_argument);
  const MeanModel with_statistics{.z = mean, .statistics = mean};
  EXPECT_THROW(f.gradients.score_mean(f.cpu, with_statistics, 0, score), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
