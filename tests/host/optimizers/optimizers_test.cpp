// Every method that takes steps with every optimizer.
#include "host/recipe/optimizers.h"

#include <gtest/gtest.h>

#include <string>

#include "host/recipe/methods.h"
#include "tests/data/error_of.h"
#include "tests/host/outcome.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 5;

const QuadraticFile& problem() {
  static const QuadraticFile file(kNodes, {1, 33, 20}, 1);
  return file;
}

/// On a ring, which is static and symmetric.
Config config_of(const Method& method, const Optimizer& optimizer) {
  Config config = gossip_config(problem(), kNodes, "ring");
  config.run.steps = 5;
  config.algorithm.name = method.name;
  config.algorithm.keep = 0.2;
  config.algorithm.averaging_rate = 0.3;
  config.algorithm.final_rounds = 2;
  config.algorithm.blocks = 4;
  config.optimizer.kind = optimizer.name;
  config.optimizer.lr = 0.05;
  config.optimizer.momentum = 0.9;
  config.optimizer.weight_decay = 0.01;
  return config;
}

std::string refusal(const Config& config) {
  return error_of([&] { Experiment experiment(config); });
}

template <class Backend>
std::vector<Outcome> outcomes(const Config& config) {
  Experiment experiment(config);
  experiment.prepare_data();
  return outcomes_of<Backend>(experiment, config.run.steps + (config.algorithm.name == "scsp" ? 2 : 0));
}

template <class Backend>
class OptimizersOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(OptimizersOn, Backends);

/// Those of the Cpu, on one shard and on two; updates compressed too, where a method can do that.
TYPED_TEST(OptimizersOn, GiveTheSameBitsWithEveryMethod) {
  for (const Method& method : methods())
    for (const Optimizer& optimizer : optimizers()) {
      Config config = config_of(method, optimizer);
      if (!refusal(config).empty()) continue;
      const bool may_send_updates = std::ranges::find(method.keys, "compress") != method.keys.end();
      for (const std::string compress : {"parameters", "update"}) {
        if (compress == "update" && !may_send_updates) continue;
        SCOPED_TRACE(method.name + " " + optimizer.name + " " + compress);
        config.algorithm.compress = compress;
        config.algorithm.local_steps =
            std::ranges::find(method.keys, "local_steps") != method.keys.end() && compress == "update" ? 2 : 1;
        config.run.shards = 1;
        const std::vector<Outcome> wanted = outcomes<Cpu>(config);
        EXPECT_EQ(outcomes<TypeParam>(config), wanted);
        config.run.shards = 2;
        EXPECT_EQ(outcomes<TypeParam>(config), wanted);
      }
    }
}

/// Exactly these; each with its reason.
TEST(Optimizers, AreRefusedWhereTheyComeToNothing) {
  std::map<std::string, std::vector<std::string>> refused;
  for (const Method& method : methods())
    for (const Optimizer& optimizer : optimizers())
      if (const std::string why = refusal(config_of(method, optimizer)); !why.empty()) {
        EXPECT_TRUE(why.starts_with("optimizer.kind: " + optimizer.name + " ")) << why;
        refused[optimizer.name].push_back(method.name);
      }
  const std::vector<std::string> corrected = {"gradient_tracking", "push_gradient_tracking", "d2"};
  std::vector<std::string> unmixed = {"none", "all_reduce"};
  unmixed.insert(unmixed.end(), corrected.begin(), corrected.end());
  EXPECT_EQ(refused, (std::map<std::string, std::vector<std::string>>{{"adam", corrected}, {"quasi_global", unmixed}}));
  const auto words = [&](const std::string& method, const std::string& optimizer) {
    return refusal(config_of(row_named(methods(), "algorithm.name", method),
                             row_named(optimizers(), "optimizer.kind", optimizer)));
  };
  const std::string instead = "; use heavy_ball or nesterov";
  EXPECT_EQ(words("d2", "quasi_global"),
            "optimizer.kind: quasi_global corrects the drift between nodes a second time, after d2" + instead);
  EXPECT_EQ(words("gradient_tracking", "adam"),
            "optimizer.kind: adam scales steps in each node in another way, which gradient_tracking does not correct" +
                instead);
  EXPECT_EQ(words("none", "quasi_global"),
            "optimizer.kind: quasi_global follows what mixing does to parameters, and none mixes none" + instead);
}

}  // namespace
}  // namespace sparsepush
