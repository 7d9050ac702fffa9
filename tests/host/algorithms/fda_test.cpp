// Federated Dynamic Averaging: what its bound promises, what a sync does, and to whom.
#include "host/algorithms/fda.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "tests/host/outcome.h"
#include "tests/host/records/saved_run.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 6, kParameters = 54;
constexpr double kNever = 1e12;

class Fda : public testing::Test {
 protected:
  Config config_of(double threshold, const std::string& monitor = "linear") const {
    Config config = gossip_config(file_, kNodes, "directed_ring");
    config.algorithm.name = "fda";
    config.algorithm.threshold = threshold;
    config.algorithm.monitor = monitor;
    config.optimizer.lr = 0.02;
    config.optimizer.momentum = 0.9;
    return config;
  }

  const QuadraticFile file_{kNodes, {1, 33, 20}, 1};
  const TemporaryFolder folder_;
};

template <class Backend>
class FdaOn : public BackendTest<Backend, Fda> {
 protected:
  std::vector<Outcome> outcomes(const Config& config, std::int64_t steps) const {
    Experiment experiment(config);
    experiment.prepare_data();
    return outcomes_of<Backend>(experiment, steps);
  }
};
TYPED_TEST_SUITE(FdaOn, Backends);

double squared(const std::vector<double>& v) {
  double sum = 0;
  for (const double e : v) sum += e * e;
  return sum;
}

/// What `fda` knows of the only replica before a step and after it.
struct Step {
  std::vector<double> reference, mean = {}, drift = {};
  std::int64_t syncs = 0;

  /// mean |d|^2, and less the square of the mean of <heading, d>.
  double naive() const { return mean_of(0); }
  double linear() const { return mean_of(0) - mean_of(1) * mean_of(1); }
  /// mean |d|^2 - |mean d|^2; the mean is the same before and behind a sync.
  double variance() const {
    std::vector<double> moved;
    for (std::size_t j = 0; j < mean.size(); ++j) moved.push_back(mean[j] - reference[j]);
    return mean_of(0) - squared(moved);
  }
  double mean_of(int number) const {
    double sum = 0;
    for (int i = 0; i < kNodes; ++i) sum += drift[2 * i + number];
    return sum / kNodes;
  }
};

Step take_step(Emulator<Cpu>& e) {
  const auto doubles = [&](const Array<float>& array) {
    const std::vector<float> values = e.nodes().to_host(array);
    return std::vector<double>(values.begin(), values.end());
  };
  Step step{.reference = doubles(reference)};
  const std::int64_t before = e.nodes().to_host(state::syncs).front();
  advance(e, 1);
  step.drift = doubles(drift);
  step.syncs = e.nodes().to_host(state::syncs).front() - before;
  const std::vector<double> x = doubles(state::x);
  step.mean.assign(step.reference.size(), 0);
  for (std::size_t k = 0; k < x.size(); ++k) step.mean[k % step.mean.size()] += x[k] / kNodes;
  if (step.syncs == 0) {  // then x is what was measured
    double squares = 0;
    for (std::size_t k = 0; k < x.size(); ++k)
      squares += std::pow(x[k] - step.reference[k % step.reference.size()], 2) / kNodes;
    EXPECT_NEAR(step.naive(), squares, 1e-5 * squares);
  }
  return step;
}

TEST_F(Fda, TheBoundIsNeverBelowTheVariance) {
  for (const std::string monitor : {"linear", "naive"}) {
    for (const double threshold : {1.0, 5.0, 20.0}) {
      SCOPED_TRACE(monitor + " " + std::to_string(threshold));
      emulate(config_of(threshold, monitor), [&](Emulator<Cpu>& e) {
        int syncs = 0, tighter = 0;
        for (int t = 0; t < 400; ++t) {
          const Step step = take_step(e);
          const double rounding = 1e-6 * step.naive(), bound = monitor == "linear" ? step.linear() : step.naive();
          ASSERT_GE(step.linear(), step.variance() - rounding) << "step " << t;
          ASSERT_GE(step.naive(), step.linear()) << "step " << t;
          ASSERT_EQ(step.syncs, bound > threshold ? 1 : 0) << "step " << t << ", bound " << bound;
          tighter += step.linear() < 0.9 * step.naive() ? 1 : 0;
          syncs += static_cast<int>(step.syncs);
        }
        EXPECT_GT(syncs, 2);
        EXPECT_LT(syncs, 400);
        EXPECT_GT(tighter, 0);
      });
    }
  }
}

TEST_F(Fda, TheHeadingSavesSyncs) {
  const auto syncs = [&](const std::string& monitor) {
    std::int64_t count = 0;
    emulate(config_of(1.0, monitor), [&](Emulator<Cpu>& e) {
      advance(e, 400);
      count = e.nodes().to_host(state::syncs).front();
    });
    return count;
  };
  EXPECT_LT(syncs("linear"), syncs("naive"));
}

TEST_F(Fda, ASyncMakesNodesAlikeAndStartsAnew) {
  emulate(config_of(20), [&](Emulator<Cpu>& e) {
    int syncs = 0;
    for (int t = 0; t < 60; ++t) {
      const std::vector<float> reference_before = e.nodes().to_host(reference);
      const std::vector<float> heading_before = e.nodes().to_host(heading);
      const Step step = take_step(e);
      const std::vector<float> x = e.nodes().to_host(state::x), reference_now = e.nodes().to_host(reference);
      const std::vector<float> heading_now = e.nodes().to_host(heading);
      if (step.syncs == 0) {
        ASSERT_EQ(reference_now, reference_before);
        ASSERT_EQ(heading_now, heading_before);
        continue;
      }
      ++syncs;
      double length = 0;
      for (std::size_t k = 0; k < x.size(); ++k) ASSERT_EQ(x[k], reference_now[k % reference_now.size()]);
      for (const float h : heading_now) length += h * static_cast<double>(h);
      EXPECT_NEAR(length, 1, 1e-6);
    }
    EXPECT_GT(syncs, 1);
    EXPECT_LT(syncs, 60);
  });
}

TYPED_TEST(FdaOn, BetweenNeverAndAlwaysLieNoneAndLocalSgd) {
  for (const auto& [threshold, method] : {std::pair{kNever, "none"}, {0.0, "local_sgd"}}) {
    const Config config = this->config_of(threshold);
    Config other = config;
    other.algorithm.name = method;
    const Outcome fda = this->outcomes(config, 9).front(), wanted = this->outcomes(other, 9).front();
    for (const std::string name : {"x", "momentum"}) EXPECT_EQ(fda.arrays.at(name), wanted.arrays.at(name)) << method;
    EXPECT_EQ(fda.syncs, threshold == 0 ? 9 : 0);
  }
}

TYPED_TEST(FdaOn, TheThresholdIsAShareOfTheParametersIfItIsNotSet) {
  Config unset = this->config_of(0);
  unset.algorithm.threshold.reset();
  unset.optimizer.lr = 1e-5;
  Config set = unset;
  set.algorithm.threshold = 4.91e-5 * kParameters;
  const Outcome outcome = this->outcomes(unset, 40).front();
  EXPECT_EQ(outcome, this->outcomes(set, 40).front());
  EXPECT_GT(outcome.syncs, 0);
  EXPECT_LT(outcome.syncs, 40);
}

/// Replicas of a run that differ in their limits: what happens in one changes nothing in the others.
TYPED_TEST(FdaOn, EveryReplicaDecidesForItselfOnAnyShards) {
  const std::vector<std::pair<double, std::string>> limits = {
      {20, "linear"}, {kNever, "linear"}, {0, "naive"}, {5, "naive"}};
  std::vector<Outcome> alone;
  for (const auto& [threshold, monitor] : limits)
    alone.push_back(this->outcomes(this->config_of(threshold, monitor), 12).front());
  EXPECT_GT(alone[0].syncs, 0);
  EXPECT_LT(alone[0].syncs, 12);
  for (const int shards : {1, 2, 4}) {
    std::vector<Config> runs;
    for (const auto& [threshold, monitor] : limits) {
      runs.push_back(this->config_of(threshold, monitor));
      runs.back().run.shards = shards;
    }
    Experiment experiment(runs);
    experiment.prepare_data();
    EXPECT_EQ(outcomes_of<TypeParam>(experiment, 12), alone) << shards << " shards";
  }
}

TYPED_TEST(FdaOn, HasTheBitsOfTheCpuUnderAnySchedule) {
  Config config = this->config_of(20);
  config.run.replicas = 2;
  std::vector<float> wanted;
  emulate(config, [&](Emulator<Cpu>& e) {
    advance(e, 8);
    wanted = e.nodes().to_host(state::x);
  });
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    emulate_on(backend, config, [&](Emulator<TypeParam>& e) {
      advance(e, 8);
      EXPECT_EQ(e.nodes().to_host(state::x), wanted);
      EXPECT_GT(e.nodes().to_host(state::syncs).front(), 0);
    });
  });
}

TYPED_TEST(FdaOn, CountsTwoNumbersAStepAndAllParametersASync) {
  constexpr std::int64_t kSteps = 12;
  for (const int shards : {1, 3}) {
    Config config = this->config_of(20);
    config.run.shards = shards;
    const Outcome outcome = this->outcomes(config, kSteps).front();
    ASSERT_GT(outcome.syncs, 0);
    std::vector<std::int64_t> sent(kSentCounts);
    for (const auto& of_node : outcome.sent)
      for (int c = 0; c < kSentCounts; ++c) sent[c] += of_node[c];
    const std::int64_t mean = 2 * (kNodes - 1), bytes = mean * (8 * kSteps + 4 * kParameters * outcome.syncs);
    EXPECT_EQ(sent[kMessagesSent], mean * (kSteps + outcome.syncs));
    for (const SentCount count : {kAuthorsBytes, kCoo32Bytes, kWireBytes}) EXPECT_EQ(sent[count], bytes);
    EXPECT_EQ(sent[kDenseBytes], sent[kMessagesSent] * (4 * kParameters + 4));
  }
}

TYPED_TEST(FdaOn, ResumesWithTheSameBitsOnAnyShards) {
  Config config = this->config_of(20);
  config.run.replicas = 2;
  const std::string at = this->folder_ / "middle", behind = this->folder_ / "end";
  const auto end_of = [&](int shards, const auto& advance_to_end) {
    config.run.shards = shards;
    Experiment experiment(config);
    experiment.prepare_data();
    std::unique_ptr<SafetensorsWriter> file;
    run_shards<TypeParam>(shards, config.run.replicas, kNodes, [&](Transport<TypeParam>& transport) {
      const TypeParam backend = tested_backend<TypeParam>();
      Emulator<TypeParam> e(backend, experiment, transport);
      advance_to_end(e, file);
      checkpoint_of(e, file, behind);
    });
    return read_file(behind);
  };
  const std::string whole = end_of(1, [&](auto& e, auto&) { advance(e, 20); });
  for (const auto& [before, after] : {std::pair{1, 1}, {1, 3}, {2, 1}}) {
    const std::string saved = end_of(before, [&](auto& e, auto& file) {
      advance(e, 7);
      checkpoint_of(e, file, at);
      advance(e, 13);
    });
    EXPECT_TRUE(saved == whole) << "saved on " << before << " shards";
    const std::string resumed = end_of(after, [&](auto& e, auto&) {
      read_checkpoint(at, e);
      advance(e, 13);
    });
    EXPECT_TRUE(resumed == whole) << "from " << before << " to " << after << " shards";
  }
}

TYPED_TEST(FdaOn, StartsAtWhatTheFirstNodeStartsWith) {
  const Config config = this->config_of(kNever);
  const std::string path = this->folder_ / "start";
  const TypeParam backend = tested_backend<TypeParam>();
  const auto first_of = [](auto& e) {
    std::vector<float> x = e.nodes().to_host(state::x);
    x.resize(e.nodes().layout.row);
    return x;
  };
  std::vector<float> trained;
  emulate_on(backend, config, [&](Emulator<TypeParam>& e) {
    EXPECT_EQ(e.nodes().to_host(reference), first_of(e));
    advance(e, 3);
    EXPECT_NE(e.nodes().to_host(reference), first_of(e));
    trained = first_of(e);
    std::unique_ptr<SafetensorsWriter> file;
    checkpoint_of(e, file, path);
  });
  emulate_on(backend, config, [&](Emulator<TypeParam>& e) {
    read_start(path, e);
    EXPECT_EQ(e.nodes().to_host(reference), trained);
  });
}

}  // namespace
}  // namespace sparsepush
