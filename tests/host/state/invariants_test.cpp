// What must hold for any topology, compressor and averaging rate, because it follows from the algebra.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tests/host/emulation.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

const std::vector<std::int64_t> kSegments = {1, 3, 33, 256, 707};  // 1,000 parameters, most segments with padding

Config with(Config config, const std::string& algorithm, double keep, double averaging_rate,
            const std::string& scope = "layer") {
  config.algorithm.name = algorithm;
  config.algorithm.keep = keep;
  config.algorithm.averaging_rate = averaging_rate;
  config.algorithm.scope = scope;
  return config;
}

constexpr int kNodes = 6;

/// Topologies of kNodes nodes whose push-sum weights differ: one drawn for good, one drawn anew in every round, and two
/// files, of weighted edges and of a period of three rounds in which some nodes are silent.
class Irregular {
 public:
  Irregular() {
    write_file(folder_ / "weighted.csv",
               "round,source,target,weight\n0,0,1,0.1\n0,0,2,0.65\n0,1,2,0.4\n0,2,3,0.7\n0,3,4,0.5\n0,3,0,0.125\n"
               "0,4,5,0.9\n0,5,0,0.3\n");
    write_file(folder_ / "varying.csv",
               "round,source,target\n0,0,1\n0,0,2\n0,0,3\n0,1,0\n1,2,3\n1,3,4\n1,4,5\n2,5,0\n2,1,3\n2,5,2\n");
  }
  std::vector<TopologyConfig> topologies() const {
    return {make("random_out", false), make("random_out", true), make("file", false, folder_ / "weighted.csv"),
            make("file", false, folder_ / "varying.csv")};
  }
  std::vector<TopologyConfig> and_regular() const {
    auto all = topologies();
    for (const std::string name : {"directed_ring", "complete", "exponential", "one_peer_exponential"})
      all.push_back(make(name, false));
    return all;
  }

 private:
  static TopologyConfig make(const std::string& name, bool redraw, const std::string& file = "") {
    TopologyConfig topology;
    topology.name = name;
    topology.degree = 2;
    topology.redraw = redraw;
    topology.file = file;
    return topology;
  }

  TemporaryFolder folder_;
};

std::string name_of(const TopologyConfig& topology) {
  return topology.name + (topology.redraw ? " redrawn" : "") + topology.file;
}

/// Training on the file with momentum and weight decay.
Config training_config(const QuadraticFile& file, const TopologyConfig& topology) {
  Config config = gossip_config(file, kNodes, "");
  config.topology = topology;
  config.optimizer.lr = 0.05;
  config.optimizer.momentum = 0.9;
  config.optimizer.weight_decay = 1e-3;
  return config;
}

/// What one step reads, and X' = X - a G(Z) of it by the definition.
struct StepTaken {
  std::vector<float> error, updated;
};

StepTaken advance_one(Emulator<Cpu>& e) {
  StepTaken step;
  const auto x = e.nodes().to_host(state::x), momentum = e.nodes().to_host(state::momentum);
  const auto u = e.nodes().to_host(state::u);
  if (e.nodes().state.has(state::error)) step.error = e.nodes().to_host(state::error);
  advance(e, 1);
  const auto gradient = e.nodes().to_host(state::gradient);
  const OptimizerConfig& optimizer = e.experiment().config().optimizer;
  const auto lr = static_cast<float>(optimizer.lr), beta = static_cast<float>(optimizer.momentum),
             decay = static_cast<float>(optimizer.weight_decay);
  for (std::size_t k = 0; k < x.size(); ++k) {
    const float z = x[k] * static_cast<float>(1.0 / u[k / e.nodes().layout.row]);
    const float m = std::fma(beta, momentum[k], std::fma(decay, z, gradient[k]));
    step.updated.push_back(std::fma(-lr, m, x[k]));
  }
  return step;
}

/// The messages of the last round as rows: q of all nodes.
std::vector<float> sent_rows(Emulator<Cpu>& e) {
  std::vector<float> q(e.nodes()[state::x].size(), 0.0f);
  const auto message = e.nodes().messages();
  for (int i = 0; i < e.nodes()[state::x].rows; ++i)
    for (int k = 0; k < message.value.cols; ++k)
      q[i * e.nodes().layout.row + message.position.row(i)[k]] = message.value.row(i)[k];
  return q;
}

std::vector<double> column_sums(const std::vector<float>& x, int nodes) {
  std::vector<double> sums(x.size() / nodes, 0.0);
  for (std::size_t k = 0; k < x.size(); ++k) sums[k % sums.size()] += x[k];
  return sums;
}

double consensus(Emulator<Cpu>& emulator) { return *emulator.measure(false).front().consensus; }

TEST(Invariants, KeepingEverythingIsTheDenseMethodBitForBit) {
  const Irregular irregular;
  const QuadraticFile file(kNodes, kSegments, 1);
  for (const TopologyConfig& topology : irregular.and_regular())
    for (const std::string scope : {"layer", "global"})
      for (const double eta : {1.0, 0.3, 0.01}) {
        const Config config = training_config(file, topology);
        std::vector<float> x[2];
        std::vector<double> u[2];
        for (const int dense : {0, 1})
          emulate(with(config, dense ? "sgp" : "sparse_push", 1.0, eta, scope), [&](Emulator<Cpu>& e) {
            advance(e, 10);
            x[dense] = e.nodes().to_host(state::x);
            u[dense] = e.nodes().to_host(state::u);
          });
        EXPECT_EQ(x[0], x[1]) << scope << ", eta " << eta << ", " << name_of(topology);
        EXPECT_EQ(u[0], u[1]);
      }
}

TEST(Invariants, IdentityIsTheDenseMethodAndIsCountedAsDense) {
  const Irregular irregular;
  const QuadraticFile file(kNodes, kSegments, 1);
  for (const TopologyConfig& topology : irregular.and_regular()) {
    std::vector<float> x[2];
    std::int64_t wire[2];
    for (const int dense : {0, 1}) {
      Config config = with(training_config(file, topology), dense ? "sgp" : "sparse_push", 0.01, 0.5);
      if (!dense) config.algorithm.compressor = "identity";
      emulate(config, [&](Emulator<Cpu>& e) {
        advance(e, 10);
        x[dense] = e.nodes().to_host(state::x);
        const MetricsRow row = e.measure(false).front();
        wire[dense] = row.bytes_wire;
        EXPECT_EQ(row.bytes_wire, row.bytes_dense);
        EXPECT_EQ(row.bytes_coo32, row.bytes_dense);
        EXPECT_EQ(row.bytes_dense, row.messages * (4 * 1000 + 4));
      });
    }
    EXPECT_EQ(x[0], x[1]) << name_of(topology);
    EXPECT_EQ(wire[0], wire[1]);
  }
}

TEST(Invariants, WithoutCommunicationEveryNodeTakesItsOwnSteps) {
  const Irregular irregular;
  const QuadraticFile file(kNodes, kSegments, 1);
  emulate(with(training_config(file, irregular.topologies().front()), "none", 1, 1), [&](Emulator<Cpu>& e) {
    for (int step = 0; step < 10; ++step) {
      const StepTaken taken = advance_one(e);
      ASSERT_EQ(e.nodes().to_host(state::x), taken.updated);
    }
    EXPECT_EQ(e.nodes().to_host(state::u), std::vector<double>(kNodes, 1.0));
    const MetricsRow row = e.measure(false).front();
    EXPECT_EQ(row.messages + row.bytes_wire + row.bytes_dense + row.bytes_coo32 + row.bytes_authors, 0);
    EXPECT_FALSE(row.error_ratio);
  });
}

TEST(Invariants, OnlyGradientsMoveTheMean) {
  struct Method {
    std::string algorithm, scope;
    double keep;
  };
  const Irregular irregular;
  const QuadraticFile file(kNodes, kSegments, 1);
  for (const TopologyConfig& topology : irregular.and_regular())
    for (const Method& method : {Method{"sgp", "layer", 1},
                                 {"sparse_push", "layer", 0.001},
                                 {"scsp", "layer", 0.05},
                                 {"sparse_push", "global", 0.01}})
      emulate(with(training_config(file, topology), method.algorithm, method.keep, 0.2, method.scope),
              [&](Emulator<Cpu>& e) {
                for (std::int64_t t = 0; t < 20; ++t) {
                  std::vector<int> in_degree(kNodes, 0);
                  for (const Edge& edge : e.experiment().topologies().front().round(t).edges) ++in_degree[edge.target];
                  const std::vector<float> before = advance_one(e).updated;
                  const std::vector<float> q = method.algorithm == "sgp" ? before : sent_rows(e);
                  std::vector<float> magnitudes(q.size());
                  for (std::size_t k = 0; k < q.size(); ++k) magnitudes[k] = std::abs(before[k]) + std::abs(q[k]);
                  const auto sums_before = column_sums(before, kNodes), magnitude = column_sums(magnitudes, kNodes),
                             sums_after = column_sums(e.nodes().to_host(state::x), kNodes);
                  const double rounding = (std::ranges::max(in_degree) + 1) * 0x1p-24;
                  for (std::size_t j = 0; j < magnitude.size(); ++j)
                    ASSERT_NEAR(sums_after[j], sums_before[j], rounding * magnitude[j]) << name_of(topology);
                }
                double mass = 0;
                for (const double u : e.nodes().to_host(state::u)) mass += u;
                EXPECT_NEAR(mass, kNodes, 1e-12 * kNodes);
              });
}

TEST(Invariants, MessagePlusErrorIsTheCompressedValueExactly) {
  const Irregular irregular;
  const QuadraticFile file(kNodes, kSegments, 1);
  for (const TopologyConfig& topology : irregular.and_regular())
    for (const std::string compressor : {"top_k", "identity"})
      for (const std::string scope : {"layer", "global"}) {
        Config config = with(training_config(file, topology), "sparse_push", 0.02, 0.02, scope);
        config.algorithm.compressor = compressor;
        emulate(config, [&](Emulator<Cpu>& e) {
          for (int round = 0; round < 10; ++round) {
            const StepTaken step = advance_one(e);
            const auto q = sent_rows(e), error = e.nodes().to_host(state::error);
            for (std::size_t k = 0; k < q.size(); ++k) {
              ASSERT_EQ(q[k] + error[k], step.updated[k] + step.error[k]) << name_of(topology) << ", element " << k;
              ASSERT_TRUE(q[k] == 0 || error[k] == 0);
            }
          }
        });
      }
}

TEST(Invariants, PushWeightsStayOneOnRegularTopologies) {
  for (const int nodes : {5, 8}) {
    const QuadraticFile file(nodes, {40}, 0);
    for (const std::string name : {"directed_ring", "exponential", "one_peer_exponential", "complete"})
      for (const std::string algorithm : {"sparse_push", "sgp"})
        emulate(with(gossip_config(file, nodes, name), algorithm, 0.1, 0.1), [&](Emulator<Cpu>& e) {
          EXPECT_TRUE(push_sum_is_idle(e.experiment().topologies().front()));
          advance(e, 40);
          EXPECT_EQ(e.nodes().to_host(state::u), std::vector<double>(nodes, 1.0)) << name;
        });
  }
}

TEST(Invariants, OnIrregularTopologiesTheNumeratorsAreBiasedAndTheDebiasedParametersAreNot) {
  const Irregular irregular;
  const QuadraticFile file(kNodes, {40}, 0);
  for (const TopologyConfig& topology : irregular.topologies()) {
    Config config = with(gossip_config(file, kNodes, ""), "sgp", 1, 1);
    config.topology = topology;
    emulate(config, [&](Emulator<Cpu>& e) {
      EXPECT_FALSE(push_sum_is_idle(e.experiment().topologies().front()));
      auto mean = column_sums(e.nodes().to_host(state::x), kNodes);
      for (double& m : mean) m /= kNodes;
      advance(e, 300);
      const auto x = e.nodes().to_host(state::x);
      const auto u = e.nodes().to_host(state::u);
      double bias = 0;
      for (int i = 0; i < kNodes; ++i)
        for (int j = 0; j < 40; ++j) {
          EXPECT_NEAR(x[i * 40 + j] / u[i], mean[j], 1e-5) << name_of(topology);
          bias = std::max(bias, std::abs(x[i * 40 + j] - mean[j]));
        }
      EXPECT_GT(bias, 0.05) << name_of(topology);
    });
  }
}

TEST(Invariants, DisagreementSettlesAtAFloorProportionalToTheAveragingRate) {
  const QuadraticFile file(8, {4000}, 0);
  const auto floor_at = [&](double eta, int rounds) {
    double floor = 0;
    emulate(with(gossip_config(file, 8, "directed_ring"), "sparse_push", 0.01, eta), [&](Emulator<Cpu>& e) {
      advance(e, rounds);
      floor = consensus(e);
      const auto row = e.measure(false).front();
      EXPECT_NEAR(*row.error_ratio, 42, 5) << eta;  // 0.42 / keep
    });
    return floor;
  };
  EXPECT_NEAR(floor_at(0.01, 5000), 0.18, 0.05);
  EXPECT_LT(floor_at(0.005, 10'000), 0.10);
}

TEST(Invariants, DisagreementSettlesHigherWhereTheTopologyVariesWithTime) {
  const QuadraticFile file(8, {4000}, 0);
  for (const std::string name : {"one_peer_exponential", "random_out"}) {
    Config config = with(gossip_config(file, 8, name), "sparse_push", 0.02, 0.02);
    config.topology.degree = 2;
    config.topology.redraw = name == "random_out";
    emulate(config, [&](Emulator<Cpu>& e) {
      advance(e, 1500);
      EXPECT_GT(consensus(e), 0.25) << name;
      EXPECT_LT(consensus(e), 0.38) << name;
    });
  }
}

TEST(Invariants, TooLargeAnAveragingRateIsUnstable) {
  const QuadraticFile file(8, {4000}, 0);
  emulate(with(gossip_config(file, 8, "directed_ring"), "sparse_push", 0.01, 0.15), [](Emulator<Cpu>& e) {
    advance(e, 1000);
    EXPECT_GT(consensus(e), 2);
  });
}

TEST(Invariants, DenseGossipOnADirectedRingContractsByItsSecondEigenvalue) {
  for (const int nodes : {4, 5, 8}) {
    const QuadraticFile file(nodes, {2000}, 0);
    emulate(with(gossip_config(file, nodes, "directed_ring"), "sgp", 1, 1), [&](Emulator<Cpu>& e) {
      advance(e, 20);
      const double before = consensus(e);
      advance(e, 10);
      EXPECT_NEAR(std::pow(consensus(e) / before, 0.1), std::cos(std::numbers::pi / nodes), 0.01);
    });
  }
}

TEST(Invariants, OnePeerExponentialAveragesExactlyInLogRounds) {
  for (int rounds = 1; rounds <= 4; ++rounds) {
    const int nodes = 1 << rounds;
    const QuadraticFile file(nodes, {100}, 0);
    emulate(with(gossip_config(file, nodes, "one_peer_exponential"), "sgp", 1, 1), [&](Emulator<Cpu>& e) {
      advance(e, rounds - 1);
      EXPECT_GT(consensus(e), 0.1) << nodes;
      advance(e, 1);
      EXPECT_LT(consensus(e), 1e-6) << nodes;
    });
  }
}

TEST(Invariants, FinalRoundsReturnTheMeanWhateverTheErrorMemoryHolds) {
  const Irregular irregular;
  const QuadraticFile file(kNodes, kSegments, 1);
  for (const TopologyConfig& topology : irregular.and_regular())
    for (const std::string final : {"gossip", "all_reduce"}) {
      Config config = with(training_config(file, topology), "scsp", 0.01, 0.01);
      config.run.steps = 30;
      config.algorithm.final = final;
      config.algorithm.final_rounds = 200;
      emulate(config, [&](Emulator<Cpu>& e) {
        advance(e, 30);
        auto mean = column_sums(e.nodes().to_host(state::x), kNodes);
        for (double& m : mean) m /= kNodes;
        EXPECT_GT(consensus(e), 0.01);
        while (e.step() < e.experiment().schedule().end()) e.run_final_round();
        const auto x = e.nodes().to_host(state::x);
        const auto u = e.nodes().to_host(state::u);
        for (std::size_t k = 0; k < x.size(); ++k)
          ASSERT_NEAR(x[k] / u[k / mean.size()], mean[k % mean.size()],
                      1e-5 * std::max(1.0, std::abs(mean[k % mean.size()])))
              << name_of(topology) << " " << final;
        for (const float v : e.nodes().to_host(state::error)) ASSERT_EQ(v, 0.0f);
      });
    }
}

}  // namespace
}  // namespace sparsepush
