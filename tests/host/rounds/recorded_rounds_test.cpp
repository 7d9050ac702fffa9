// Recorded steps do what the same steps do when every op is launched anew, whatever rounds they play.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "kernels/backend/random.h"
#include "tests/backends.h"
#include "tests/host/outcome.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 7, kSteps = 2 * kRoundsAhead + 8, kFinalRounds = 3;

using Change = std::function<void(RoundRules&)>;

struct Run {
  Config config;
  Change change = [](RoundRules&) {};
  int shards = 1;
  bool recorded = true;
};

template <class Backend>
Outcome outcome_of(const Run& run) {
  Config config = run.config;
  config.run.shards = run.shards;
  Experiment experiment(config);
  experiment.prepare_data();
  const auto make = [&](const Backend& backend, Transport<Backend>& transport) {
    RoundRules rules = round_rules(experiment);
    run.change(rules);
    return std::make_unique<Emulator<Backend>>(backend, experiment, transport, rules);
  };
  const auto train = [&](Emulator<Backend>& emulator) {
    emulator.set_recorded(run.recorded);
    advance(emulator, kSteps + experiment.schedule().final_rounds());
  };
  return outcomes_of<Backend>(experiment, make, train).front();
}

Config config_of(const QuadraticFile& file, const std::string& algorithm, const std::string& topology) {
  Config config = gossip_config(file, kNodes, topology);
  config.run.steps = kSteps;
  config.topology.degree = 2;
  config.topology.redraw = topology == "random_out";
  config.algorithm.name = algorithm;
  config.algorithm.keep = 0.2;
  config.algorithm.averaging_rate = algorithm == "sgp" ? 1 : 0.2;
  config.algorithm.final_rounds = kFinalRounds;
  config.optimizer.lr = 0.02;
  config.optimizer.momentum = 0.9;
  return config;
}

bool arrives(int replica, std::int64_t t, const Edge& e) {
  return random_uniform({.seed = static_cast<std::uint64_t>(replica) + 3,
                         .purpose = Purpose::kTopology,
                         .node = static_cast<std::uint64_t>(e.source * kNodes + e.target),
                         .step = static_cast<std::uint64_t>(t)}) >= 0.1;
}

template <class Backend>
class RecordedRoundsOn : public BackendTest<Backend> {
 protected:
  /// That recorded runs on 1 to 3 shards equal the unrecorded one on a Cpu, in every order of streams.
  static void expect_same(Run run, std::vector<int> shards = {1, 2, 3}) {
    run.recorded = false;
    const Outcome expected = outcome_of<Cpu>(run);
    double mass = 0;
    for (const double u : expected.u) mass += u;
    EXPECT_NEAR(mass, kNodes, 1e-12 * kNodes);
    run.recorded = true;
    for (const int count : shards) {
      SCOPED_TRACE(std::to_string(count) + " shards");
      run.shards = count;
      for_each_stream_order<Backend>([&] { EXPECT_EQ(outcome_of<Backend>(run), expected); }, 4);
    }
  }
  const QuadraticFile file_{kNodes, {1, 33, 20}, 1};
};
TYPED_TEST_SUITE(RecordedRoundsOn, Backends);

TYPED_TEST(RecordedRoundsOn, EqualUnrecordedOnesWhereTheHostDraws) {
  this->expect_same({.config = config_of(this->file_, "scsp", "random_out"),
                     .change = [](RoundRules& rules) { rules.drawn.reset(); }});
}

TYPED_TEST(RecordedRoundsOn, EqualUnrecordedOnesWhereTheBackendDraws) {
  const Config config = config_of(this->file_, "scsp", "random_out");
  this->expect_same({.config = config}, {1});
  EXPECT_EQ(outcome_of<TypeParam>({.config = config}),
            outcome_of<TypeParam>({.config = config, .change = [](RoundRules& rules) { rules.drawn.reset(); }}));
}

TYPED_TEST(RecordedRoundsOn, EqualUnrecordedOnesOnATopologyOfAPeriodOfSeven) {
  const TemporaryFolder folder;
  std::string edges = "round,source,target\n";
  for (int t = 0; t < 7; ++t)
    for (int source = 0; source < kNodes; ++source)
      for (int offset = 1; offset <= 1 + (source + t) % 3; ++offset)
        edges += std::to_string(t) + "," + std::to_string(source) + "," +
                 std::to_string((source + (t + offset) % 6 + 1) % kNodes) + "\n";
  write_file(folder / "seven.csv", edges);
  Config config = config_of(this->file_, "scsp", "file");
  config.topology.file = folder / "seven.csv";
  this->expect_same({.config = config});
}

TYPED_TEST(RecordedRoundsOn, EqualUnrecordedOnesWhereEdgesAreNotDelivered) {
  for (const std::string algorithm : {"sparse_push", "sgp"})
    this->expect_same({.config = config_of(this->file_, algorithm, "complete"),
                       .change = [](RoundRules& rules) { rules.delivers = arrives; }});
}

TYPED_TEST(RecordedRoundsOn, EqualUnrecordedOnesOfMethodsThatNeedCertainTopologies) {
  Config drawn_once = config_of(this->file_, "choco", "random_out");
  drawn_once.topology.redraw = false;
  Config permutations = config_of(this->file_, "d_psgd", "random_out");
  permutations.topology.degree = 1;
  for (const Config& config :
       {drawn_once, permutations, config_of(this->file_, "deep_squeeze", "one_peer_exponential")}) {
    SCOPED_TRACE(config.algorithm.name + " on " + config.topology.name);
    this->expect_same({.config = config});
  }
}

TYPED_TEST(RecordedRoundsOn, EqualUnrecordedOnesWhereRoundsOutgrowTheirPlaces) {
  const auto grows = [](RoundRules& rules) {
    rules.drawn.reset();
    rules.bounds = [](const Shard&) { return RoundBounds{.edges = 1, .halo = 0}; };
    rules.edges = [edges = rules.edges](int replica, std::int64_t t) {
      std::vector<Edge> some = edges(replica, t);
      if (t < 20) std::erase_if(some, [&](const Edge& e) { return (e.source + e.target) % (4 + t / 8) != 0; });
      return some;
    };
  };
  for (const std::string algorithm : {"scsp", "sgp"})
    this->expect_same({.config = config_of(this->file_, algorithm, "random_out"), .change = grows});
}

TYPED_TEST(RecordedRoundsOn, EqualUnrecordedOnesWhereSelectionsAreVerified) {
  Config config = config_of(this->file_, "sparse_push", "one_peer_exponential");
  config.run.verify = true;
  config.algorithm.local_steps = 2;
  this->expect_same({.config = config}, {1, 2});
}

}  // namespace
}  // namespace sparsepush
