// A method of somebody else's: a row that is made at run time and stands in no table.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "tests/host/outcome.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 5, kSteps = 6, kColumns = 3;

/// SGP that also sends an array of three elements a node, and that counts its rounds.
class OwnMethod {
 public:
  Method row() const {
    return {
        .name = "with_luggage",
        .state = {&luggage_},
        .message = Message{{&state::x, &luggage_, &state::sent_u}},
        .averaging_rate = 1.0,
        .play = [this, sgp = row_named(methods(), "algorithm.name", "sgp").play](auto& n, const PlannedRound& round) {
          n.work.host_call([this](std::int64_t step) { ++rounds_, sum_of_steps_ += step; });
          sgp(n, round);
        }};
  }
  int rounds() const { return rounds_; }
  std::int64_t sum_of_steps() const { return sum_of_steps_; }

 private:
  const std::string name_ = "lug" + std::string("gage");  // as at run time
  const Array<float> luggage_{{.name = name_, .columns = kColumns, .start = 2}};
  mutable std::atomic<int> rounds_ = 0;
  mutable std::atomic<std::int64_t> sum_of_steps_ = 0;
};

Config sgp_config(const QuadraticFile& file) {
  Config config = gossip_config(file, kNodes, "random_out");
  config.run.steps = kSteps;
  config.topology.redraw = true;
  config.algorithm.averaging_rate = 0.5;
  config.optimizer.lr = 0.05;
  return config;
}

template <class Backend>
Outcome outcome_of_recipe(const Config& config, const Recipe& recipe) {
  Experiment experiment(config, recipe);
  experiment.prepare_data();
  return outcomes_of<Backend>(experiment, kSteps).front();
}

template <class Backend>
Outcome outcome_with(Config config, const Method& method) {
  config.algorithm.name = method.name;
  return outcome_of_recipe<Backend>(config, {.method = method, .optimizer = optimizers().front(), .compressor = {}});
}

template <class Backend>
class OwnMethodOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(OwnMethodOn, Backends);

TYPED_TEST(OwnMethodOn, RunsAndPaysFourBytesForEachElement) {
  const QuadraticFile file(kNodes, {1, 33, 20}, 1);
  Config config = sgp_config(file);
  const Outcome sgp = outcome_with<Cpu>(config, row_named(methods(), "algorithm.name", "sgp"));
  for (const int shards : {1, 2}) {
    config.run.shards = shards;
    const OwnMethod method;
    const Outcome own = outcome_with<TypeParam>(config, method.row());
    EXPECT_EQ(method.rounds(), kSteps * shards);
    EXPECT_EQ(method.sum_of_steps(), shards * kSteps * (kSteps - 1) / 2);
    EXPECT_EQ(own.arrays.at("x"), sgp.arrays.at("x"));
    EXPECT_EQ(own.u, sgp.u);
    EXPECT_EQ(own.arrays.at("luggage"), std::vector(kNodes, std::vector<float>(kColumns, 2)));
    for (int node = 0; node < kNodes; ++node) {
      const std::int64_t messages = own.sent[node][kMessagesSent];
      EXPECT_EQ(messages, 2 * kSteps) << "to two nodes in each round";
      for (const SentCount bytes : {kAuthorsBytes, kCoo32Bytes, kWireBytes})
        EXPECT_EQ(own.sent[node][bytes], messages * 4 * (54 + kColumns + 1)) << "54 parameters and u";
      EXPECT_EQ(own.sent[node][kDenseBytes], messages * 4 * (54 + 1)) << "of SGP, to compare with";
    }
  }
}

/// Beside a compressed message, whose own size differs from node to node, an array costs what it does elsewhere.
TYPED_TEST(OwnMethodOn, PaysForAnArrayBesideACompressedMessage) {
  const QuadraticFile file(kNodes, {1, 33, 20}, 1);
  Config config = sgp_config(file);
  config.algorithm.keep = 0.2;
  static constexpr Array<float> kLuggage({.name = "luggage", .columns = kColumns});
  Recipe recipe = recipe_of(config), laden = recipe;
  laden.method.state.push_back(&kLuggage);
  laden.method.message->arrays.push_back(&kLuggage);
  const Outcome plain = outcome_of_recipe<TypeParam>(config, recipe), own = outcome_of_recipe<TypeParam>(config, laden);
  EXPECT_EQ(own.arrays.at("x"), plain.arrays.at("x"));
  for (int node = 0; node < kNodes; ++node)
    for (const SentCount bytes : {kAuthorsBytes, kCoo32Bytes, kWireBytes})
      EXPECT_EQ(own.sent[node][bytes] - plain.sent[node][bytes], plain.sent[node][kMessagesSent] * 4 * kColumns);
}

/// The passes that take the step of SGD along are not taken for it, and the step, error and messages are the same.
TYPED_TEST(OwnMethodOn, AnOptimizerThatDoesNotFuseIsAsked) {
  const QuadraticFile file(kNodes, {1, 33, 20}, 1);
  for (const char* name : {"sgp", "sparse_push"}) {
    Config config = sgp_config(file);
    config.algorithm.name = name;
    config.algorithm.keep = 0.2;
    const Outcome fused = outcome_of_recipe<Cpu>(config, recipe_of(config));
    for (const int shards : {1, 2}) {
      config.run.shards = shards;
      Recipe recipe = recipe_of(config);
      std::atomic<int> steps = 0;
      recipe.optimizer = {.name = "own", .state = {&state::momentum}, .step = [&](auto& n) {
                            ++steps;
                            optimizers().front().step(n);
                          }};
      EXPECT_EQ(outcome_of_recipe<TypeParam>(config, recipe), fused) << name << ", " << shards << " shards";
      EXPECT_GE(steps, shards) << "recorded once, or taken each time";
    }
  }
}

/// What a failed host call has left of a step is neither gone on from nor saved.
TYPED_TEST(OwnMethodOn, AStepThatFailsHalfwayEndsTheRun) {
  const QuadraticFile file(kNodes, {1, 33, 20}, 1);
  Config config = sgp_config(file);
  Recipe recipe = recipe_of(config);
  recipe.method.play = [play = recipe.method.play](auto& n, const PlannedRound& round) {
    play(n, round);
    n.work.host_call([](std::int64_t step) {
      if (step == 2) throw std::runtime_error("no network");
    });
  };
  Experiment experiment(config, recipe);
  experiment.prepare_data();
  const TypeParam backend = tested_backend<TypeParam>();
  run_shards<TypeParam>(1, 1, kNodes, [&](Transport<TypeParam>& transport) {
    Emulator<TypeParam> emulator(backend, experiment, transport);
    advance(emulator, 2);
    EXPECT_THROW(advance(emulator, 1), std::runtime_error);
    EXPECT_EQ(emulator.step(), 2);
    EXPECT_THROW(advance(emulator, 1), std::logic_error);
    EXPECT_THROW(emulator.measure(false), std::logic_error);
    EXPECT_THROW(emulator.check_finite(), std::logic_error) << "which precedes every checkpoint";
  });
}

}  // namespace
}  // namespace sparsepush
