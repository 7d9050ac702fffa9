// A method of somebody else's: a row that is made at run time and stands in no table.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "tests/outcome.h"

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
Outcome outcome_with(Config config, const Method& method) {
  config.algorithm.name = method.name;
  Experiment experiment(config, {.method = method, .optimizer = optimizers().front(), .compressor = {}});
  experiment.prepare_data();
  return outcomes_of<Backend>(experiment, kSteps).front();
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

}  // namespace
}  // namespace sparsepush
