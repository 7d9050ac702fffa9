// Whole emulations on every backend.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "host/records/metrics.h"
#include "host/state/emulator.h"
#include "tests/backends.h"
#include "tests/host/emulation.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

/// What a run has come to.
struct Outcome {
  std::vector<float> x, momentum, error;
  std::vector<double> u, loss;
  std::vector<std::int64_t> sent;
  std::vector<MetricsRow> rows;
};

template <class Backend>
Outcome outcome_of(const Backend& backend, const Config& config, std::int64_t steps) {
  Outcome outcome;
  emulate_on(backend, config, [&](Emulator<Backend>& e) {
    advance(e, steps / 2);
    for (const MetricsRow& row : e.measure(true)) outcome.rows.push_back(row);
    advance(e, steps - steps / 2);
    outcome.loss = e.loss_window().sum.to_host();
    for (const MetricsRow& row : e.measure(false)) outcome.rows.push_back(row);
    outcome.x = e.nodes().to_host(state::x);
    outcome.momentum = e.nodes().to_host(state::momentum);
    if (e.nodes().state.has(state::error)) outcome.error = e.nodes().to_host(state::error);
    outcome.u = e.nodes().to_host(state::u);
    outcome.sent = e.nodes().sent.to_host();
  });
  return outcome;
}

template <class Backend>
class BackendAgreementOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(BackendAgreementOn, Backends);

/// The same bits as on one thread of the processor.
template <class Backend>
void expect_the_same_bits(const Config& config, std::int64_t steps) {
  const Outcome wanted = outcome_of(tested_cpu(1), config, steps);
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    const Outcome outcome = outcome_of(backend, config, steps);
    EXPECT_TRUE(same_values(outcome.x, wanted.x));
    EXPECT_TRUE(same_values(outcome.momentum, wanted.momentum));
    EXPECT_TRUE(same_values(outcome.error, wanted.error));
    EXPECT_TRUE(same_values(outcome.u, wanted.u));
    EXPECT_TRUE(same_values(outcome.loss, wanted.loss));
    EXPECT_EQ(outcome.sent, wanted.sent);
    ASSERT_EQ(outcome.rows.size(), wanted.rows.size());
    for (std::size_t i = 0; i < wanted.rows.size(); ++i)
      EXPECT_EQ(metrics_line(outcome.rows[i]), metrics_line(wanted.rows[i]));
  });
}

Config quadratic_config(const QuadraticFile& file, const std::string& topology, const std::string& algorithm) {
  Config config = gossip_config(file, 5, topology);
  config.algorithm.name = algorithm;
  config.algorithm.keep = 0.1;
  config.algorithm.averaging_rate = algorithm == "sgp" ? 1 : 0.08;
  config.optimizer.lr = 0.05;
  config.optimizer.momentum = 0.9;
  config.optimizer.weight_decay = 1e-3;
  return config;
}

const QuadraticFile& problem() {
  static const QuadraticFile file(5, {1, 30, 300, 5}, 1);
  return file;
}

TYPED_TEST(BackendAgreementOn, EveryAlgorithmHasTheSameBits) {
  for (const std::string algorithm : {"none", "sgp", "sparse_push", "all_reduce", "local_sgd", "fda",
                                      "gradient_tracking", "push_gradient_tracking"}) {
    SCOPED_TRACE(algorithm);
    expect_the_same_bits<TypeParam>(quadratic_config(problem(), "directed_ring", algorithm), 6);
  }
}

TYPED_TEST(BackendAgreementOn, TopologiesThatVaryWithTimeHaveTheSameBits) {
  Config config = quadratic_config(problem(), "random_out", "sparse_push");
  config.topology.redraw = true;
  config.run.replicas = 2;
  config.optimizer.kind = "nesterov";
  expect_the_same_bits<TypeParam>(config, kRoundsAhead + 4);
  expect_the_same_bits<TypeParam>(quadratic_config(problem(), "one_peer_exponential", "sgp"), 7);
}

TYPED_TEST(BackendAgreementOn, VerifyingChangesNothing) {
  Config config = quadratic_config(problem(), "directed_ring", "sparse_push");
  const Outcome wanted = outcome_of(tested_backend<TypeParam>(), config, 3);
  config.run.verify = true;
  EXPECT_TRUE(same_values(outcome_of(tested_backend<TypeParam>(), config, 3).x, wanted.x));
}

TYPED_TEST(BackendAgreementOn, LocalStepsAndFinalRoundsHaveTheSameBits) {
  for (const std::string final : {"gossip", "all_reduce"}) {
    Config config = quadratic_config(problem(), "one_peer_exponential", "scsp");
    config.run.steps = 7;
    config.algorithm.local_steps = 3;
    config.algorithm.scope = "global";
    config.algorithm.final = final;
    config.algorithm.final_rounds = 3;
    SCOPED_TRACE(final);
    expect_the_same_bits<TypeParam>(config, final == "gossip" ? 10 : 8);
  }
}

TYPED_TEST(BackendAgreementOn, IdentityHasTheSameBits) {
  Config config = quadratic_config(problem(), "complete", "sparse_push");
  config.algorithm.compressor = "identity";
  config.algorithm.averaging_rate = 1;
  expect_the_same_bits<TypeParam>(config, 3);
}

TYPED_TEST(BackendAgreementOn, NetworksAgreeClosely) {
  Config config;
  config.run.nodes = 3;
  config.run.steps = 100;
  config.run.threads = 1;
  config.data.batch = 5;
  config.model.hidden = {7};
  config.algorithm.averaging_rate = 0.01;
  constexpr std::int64_t kSteps = 8;
  const Outcome wanted = outcome_of(tested_cpu(1), config, kSteps);
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const Outcome outcome = outcome_of(backend, config, kSteps);
    for (std::size_t i = 0; i < wanted.x.size(); ++i) ASSERT_NEAR(outcome.x[i], wanted.x[i], 1e-5) << i;
    for (std::size_t i = 0; i < wanted.loss.size(); ++i) EXPECT_NEAR(outcome.loss[i], wanted.loss[i], 1e-5);
    for (std::size_t i = 0; i < wanted.rows.size(); ++i) {
      EXPECT_NEAR(*outcome.rows[i].test_loss, *wanted.rows[i].test_loss, 1e-5);
      EXPECT_NEAR(outcome.rows[i].accuracy->mean, wanted.rows[i].accuracy->mean, 0.01);
      EXPECT_NEAR(*outcome.rows[i].loss_mean_model, *wanted.rows[i].loss_mean_model, 1e-5);
    }
  });
}

TYPED_TEST(BackendAgreementOn, DivergenceIsFoundWithItsStepAndNode) {
  Config config = quadratic_config(problem(), "directed_ring", "sparse_push");
  std::string message;
  emulate_on(tested_backend<TypeParam>(), config, [&](Emulator<TypeParam>& e) {
    advance(e, 2);
    std::vector<float> momentum = e.nodes().to_host(state::momentum);
    momentum[e.nodes().layout.row + 4] = std::numeric_limits<float>::infinity();
    e.nodes().assign(state::momentum, momentum);
    try {
      advance(e, TypeParam::kStepsBetweenLooks);
      e.check_finite();
    } catch (const Diverged& diverged) {
      message = diverged.what();
    }
  });
  EXPECT_EQ(message, "diverged at step 3: node 1, tensor segment1 is not finite; try a smaller optimizer.lr");
}

/// Backends that look seldom see by then that nodes of all shards have diverged, by messages of the first.
TYPED_TEST(BackendAgreementOn, DivergenceIsToldByTheShardWhereItWasFirst) {
  const Config config = quadratic_config(problem(), "directed_ring", "sparse_push");
  Experiment experiment(config);
  experiment.prepare_data();
  const int last = config.run.nodes - 1;
  for (const int shards : {1, 2, 3}) {
    std::string message;
    try {
      run_shards<TypeParam>(shards, 1, config.run.nodes, [&](Transport<TypeParam>& transport) {
        const TypeParam backend = tested_backend<TypeParam>();
        Emulator<TypeParam> e(backend, experiment, transport);
        advance(e, 2);
        const Shard& shard = transport.shard();
        std::vector<float> momentum = e.nodes().to_host(state::momentum);
        if (shard.owns(last))
          momentum[shard.row_of({0, last}) * e.nodes().layout.row] = std::numeric_limits<float>::infinity();
        e.nodes().assign(state::momentum, momentum);
        advance(e, TypeParam::kStepsBetweenLooks);
        e.check_finite();
      });
    } catch (const Diverged& diverged) {
      message = diverged.what();
    }
    EXPECT_TRUE(message.starts_with("diverged at step 3: node " + std::to_string(last) + ", tensor segment0 "))
        << message;
  }
}

}  // namespace
}  // namespace sparsepush
