// What compressors promise in whole runs: the same bits however a run is done, nothing lost, and where gossip comes to.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "host/descriptions/run_plan.h"
#include "kernels/messages/random_k.h"
#include "tests/data/error_of.h"
#include "tests/host/outcome.h"
#include "tests/host/records/saved_run.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 6, kParameters = 1 + 33 + 63 + 12;

class Compressors : public testing::Test {
 protected:
  /// On a ring that leads both ways, on which every method runs.
  static Config config_of(const QuadraticFile& file, const std::string& method, const std::string& compressor) {
    Config config = gossip_config(file, kNodes, "ring");
    config.algorithm.name = method;
    config.algorithm.compressor = compressor;
    config.algorithm.keep = 0.1;
    config.algorithm.averaging_rate = compressor == "top_k" || compressor == "random_k" ? 0.1 : 0.02;
    config.algorithm.levels = 31;
    config.algorithm.final_rounds = 2;
    return config;
  }
  static Config learning(const QuadraticFile& file, const std::string& method, const std::string& compressor) {
    Config config = config_of(file, method, compressor);
    config.run.steps = 5;
    config.run.replicas = 2;
    config.optimizer.lr = 0.05;
    config.optimizer.momentum = 0.9;
    config.optimizer.weight_decay = 1e-3;
    return config;
  }
  static bool runs(const std::string& method, const Compressor& compressor) {
    return method != "quantized_push_sum" || compressor.can_be_unbiased;
  }
  /// Every pair that runs, as body(configuration).
  template <class Body>
  void for_each_pair(const Body& body) const {
    for (const std::string_view method : methods_that_compress())
      for (const Compressor& compressor : compressors()) {
        if (!runs(std::string(method), compressor)) continue;
        SCOPED_TRACE(std::string(method) + " with " + compressor.name);
        body(learning(file_, std::string(method), compressor.name));
      }
  }

  const TemporaryFolder folder_;
  const QuadraticFile file_{kNodes, {1, 33, 63, 12}, 1, 1, {1, 1, 1, 33, 9, 7, 3, 4}};
  const QuadraticFile gossip_{kNodes, {1, 33, 63, 12}, 0, 1, {1, 1, 1, 33, 9, 7, 3, 4}};
};

template <class Backend>
class CompressorsOn : public BackendTest<Backend, Compressors> {};
TYPED_TEST_SUITE(CompressorsOn, Backends);

template <class Backend>
std::vector<Outcome> outcomes_on(Config config, int shards) {
  config.run.shards = shards;
  Experiment experiment(config);
  experiment.prepare_data();
  return outcomes_of<Backend>(experiment, 5 + experiment.schedule().final_rounds());
}

TYPED_TEST(CompressorsOn, EveryMethodHasTheSameBitsWithEveryCompressorOnAnyShards) {
  this->for_each_pair([](const Config& config) {
    const auto wanted = outcomes_on<Cpu>(config, 1);
    const std::string& name = config.algorithm.compressor;
    const bool draws = name == "random_k" || name == "qsgd" || name == "low_rank";
    EXPECT_EQ(wanted[0].arrays != wanted[1].arrays, draws) << "replicas draw for themselves";
    for (const int shards : {1, 2})
      EXPECT_TRUE(outcomes_on<TypeParam>(config, shards) == wanted) << shards << " shards";
  });
}

TYPED_TEST(CompressorsOn, ValuesOf16BitsHaveTheSameBitsOnAnyShards) {
  for (const std::string compressor : {"top_k", "random_k"}) {
    Config config = this->learning(this->file_, "sparse_push", compressor);
    const auto whole = outcomes_on<Cpu>(config, 1);
    config.algorithm.value_bits = 16;
    const auto wanted = outcomes_on<Cpu>(config, 1);
    EXPECT_FALSE(wanted[0].arrays == whole[0].arrays);
    for (const int shards : {1, 3}) EXPECT_TRUE(outcomes_on<TypeParam>(config, shards) == wanted) << compressor;
    std::int64_t messages = 0, saved = 0;
    for (int node = 0; node < kNodes; ++node) {
      messages += wanted[0].sent[node][kMessagesSent];
      saved += whole[0].sent[node][kAuthorsBytes] - wanted[0].sent[node][kAuthorsBytes];
    }
    EXPECT_EQ(saved, messages * 2 * (1 + 3 + 6 + 1)) << "two bytes an entry";
  }
}

TYPED_TEST(CompressorsOn, ARunGoesOnFromItsCheckpoint) {
  for (const std::string compressor : {"random_k", "qsgd", "low_rank"}) {
    Config config = this->learning(this->file_, "choco", compressor);
    config.run.steps = 20;
    Experiment experiment(config);
    experiment.prepare_data();
    const std::string middle = this->folder_ / "middle";
    const auto end_of = [&](const auto& advance_to_end) {
      std::vector<float> x;
      emulate_on(tested_backend<TypeParam>(), experiment, [&](Emulator<TypeParam>& e) {
        advance_to_end(e);
        x = e.nodes().to_host(state::x);
      });
      return x;
    };
    const auto whole = end_of([&](auto& e) {
      std::unique_ptr<SafetensorsWriter> file;
      advance(e, 7);
      checkpoint_of(e, file, middle);
      advance(e, 6);
    });
    const auto resumed = end_of([&](auto& e) {
      read_checkpoint(middle, e);
      advance(e, 6);
    });
    EXPECT_TRUE(same_values(resumed, whole)) << compressor;
  }
}

/// Bytes of the array with this name in the plan of a run; 0 if there is none.
template <class Backend>
std::int64_t planned_bytes(const Experiment& experiment, const std::string& name) {
  for (const PlannedArray& array : plan_memory<Backend>(experiment).arrays)
    if (array.name == name) return array.bytes;
  return 0;
}

/// For each replica the groups, how many entries they have, and on a GPU a bit for each position of a row of 116.
TEST_F(Compressors, ThePlanHasWhatRandomKDrawsWith) {
  Config config = learning(file_, "sparse_push", "random_k");
  const std::string name = "positions that are drawn";
  for (const int shards : {1, 2}) {
    config.run.shards = shards;
    Experiment experiment(config);
    experiment.prepare_data();
    const std::int64_t lists = 4 * sizeof(RandomGroup) + 8, words = 4;
    EXPECT_EQ(planned_bytes<Cpu>(experiment, name), shards * 2 * lists);
    EXPECT_EQ(planned_bytes<Cuda>(experiment, name), shards * 2 * (lists + 4 * words));
  }
}

/// sum x, an element each, and the largest distance of a node from the mean.
struct Spread {
  std::vector<double> sum;
  double largest = 0;
};
Spread spread_of(const Nodes<Cpu>& n) {
  const std::vector<float> x = n.to_host(state::x);
  const std::vector<double> u = n.to_host(state::u);
  const std::size_t row = n.layout.row;
  Spread spread{std::vector<double>(row)};
  for (std::size_t i = 0; i < x.size(); ++i) spread.sum[i % row] += x[i];
  for (std::size_t i = 0; i < x.size(); ++i)
    spread.largest = std::max(spread.largest, std::abs(x[i] / u[i / row] - spread.sum[i % row] / kNodes));
  return spread;
}

Spread spread_after(const Config& config, std::int64_t rounds) {
  Spread spread;
  emulate(config, [&](Emulator<Cpu>& e) {
    advance(e, rounds);
    spread = spread_of(e.nodes());
  });
  return spread;
}

TEST_F(Compressors, GossipKeepsTheSumWhateverIsSent) {
  for_each_pair([&](Config config) {
    config.data.file = gossip_.path();
    config.run.steps = 1000;
    config.run.replicas = 1;
    config.optimizer = config_of(gossip_, "sgp", "identity").optimizer;
    const Spread before = spread_after(config, 0), after = spread_after(config, 60);
    for (std::size_t i = 0; i < before.sum.size(); ++i) EXPECT_NEAR(after.sum[i], before.sum[i], 1e-4);
    EXPECT_LT(after.largest, before.largest * 1.2);
  });
}

/// Top-k leaves a floor of about 0.18 averaging_rate / keep; what all nodes leave out alike holds nothing up.
TEST_F(Compressors, EntriesThatAreDrawnAlikeLeaveNoFloor) {
  EXPECT_GT(spread_after(config_of(gossip_, "sparse_push", "top_k"), 3000).largest, 1e-3);
  Config config = config_of(gossip_, "sparse_push", "random_k");
  EXPECT_LT(spread_after(config, 3000).largest, 3e-6);
  config.algorithm.averaging_rate = 0.3;  // but it is stable up to about keep only
  EXPECT_GT(spread_after(config, 300).largest, 100);
}

TEST_F(Compressors, ChocoComesToConsensusWithAnyOfThem) {
  for (const Compressor& compressor : compressors()) {
    Config config = config_of(gossip_, "choco", compressor.name);
    config.algorithm.keep = 0.3;
    EXPECT_LT(spread_after(config, 4000).largest, 6e-7 / config.algorithm.averaging_rate) << compressor.name;
    config.algorithm.value_bits = 16;
    EXPECT_LT(spread_after(config, 4000).largest, 6e-7 / config.algorithm.averaging_rate) << compressor.name;
  }
}

TEST_F(Compressors, QuantizedPushSumComesToConsensusWithinFewRounds) {
  Config config = config_of(gossip_, "quantized_push_sum", "qsgd");
  EXPECT_LT(spread_after(config, 200).largest, 5e-7);
  config.algorithm.averaging_rate = 0.3;  // not a key of it
  EXPECT_LT(spread_after(config, 200).largest, 5e-7);
}

TEST_F(Compressors, MessagesCostWhatTheirRowSays) {
  for_each_pair([](const Config& config) {
    Experiment experiment(config);
    experiment.prepare_data();
    const Recipe& recipe = experiment.recipe();
    const MessageBytes each = recipe.compressor->bytes(config.algorithm, experiment.layout());
    const Outcome outcome = outcomes_of<Cpu>(experiment, 5).front();
    for (const auto& sent : outcome.sent) {
      EXPECT_EQ(sent[kMessagesSent], 5 * 2);
      EXPECT_EQ(sent[kAuthorsBytes], 5 * 2 * each.authors);
      EXPECT_EQ(sent[kCoo32Bytes], 5 * 2 * each.coo32);
      EXPECT_EQ(sent[kDenseBytes], 5 * 2 * (4 * kParameters + 4));
      if (recipe.compressor->differs_on_wire)
        EXPECT_LE(sent[kWireBytes], 5 * 2 * each.wire);
      else
        EXPECT_EQ(sent[kWireBytes], 5 * 2 * each.wire);
    }
  });
}

TEST_F(Compressors, AreRefusedWithWhatTheyCannotDo) {
  const auto refusal = [](const std::vector<std::string>& settings) {
    return error_of([&] { parse_config("", settings, "F"); });
  };
  const std::string quantized = "algorithm.name=quantized_push_sum";
  for (const std::string name : {"top_k", "random_k", "sign", "low_rank"})
    EXPECT_EQ(refusal({quantized, "algorithm.compressor=" + name}),
              "--set algorithm.compressor=" + name +
                  ": algorithm.compressor: expected identity or qsgd with quantized_push_sum, which mixes at averaging "
                  "rate 1 and so needs an unbiased one of small variance; \"" +
                  name + "\" goes with choco");
  EXPECT_EQ(refusal({quantized}), "");
  EXPECT_EQ(parse_config("", {quantized}).algorithm.compressor, "qsgd");
  for (const std::string name : {"qsgd", "sign", "low_rank"})
    EXPECT_EQ(refusal({"algorithm.compressor=" + name}), "--set algorithm.compressor=" + name +
                                                             ": algorithm.averaging_rate: has to be set with "
                                                             "algorithm.compressor = \"" +
                                                             name + "\"");
  EXPECT_EQ(refusal({"algorithm.value_bits=17"}),
            "--set algorithm.value_bits=17: algorithm.value_bits: expected 16 or 32, got 17");
  const QuadraticFile vectors(kNodes, {5, 7}, 1);
  EXPECT_EQ(
      error_of([&] { Experiment experiment(config_of(vectors, "choco", "low_rank")); }),
      "algorithm.rank: factors of rank 2 make no tensor smaller; expected a matrix among them with rank * (rows + "
      "columns) < rows * columns");
}

}  // namespace
}  // namespace sparsepush
