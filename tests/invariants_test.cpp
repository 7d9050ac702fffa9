// What must hold for any topology, compressor and averaging rate, because it follows from the algebra.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/emulation.h"

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

Config irregular(Config config, bool redraw) {
  config.topology.name = "random_out";
  config.topology.degree = 2;
  config.topology.redraw = redraw;
  return config;
}

std::vector<double> column_sums(const std::vector<float>& x, int nodes) {
  std::vector<double> sums(x.size() / nodes, 0.0);
  for (std::size_t k = 0; k < x.size(); ++k) sums[k % sums.size()] += x[k];
  return sums;
}

double consensus(Emulator<Cpu>& emulator) { return *emulator.measure(false).front().consensus; }

TEST(Invariants, KeepingEverythingIsTheDenseMethodBitForBit) {
  const QuadraticFile file(6, kSegments, 1);
  for (const bool redraw : {false, true})
    for (const std::string scope : {"layer", "global"})
      for (const double eta : {1.0, 0.3, 0.01}) {
        Config config = irregular(gossip_config(file, 6, ""), redraw);
        config.optimizer.lr = 0.05;
        config.optimizer.momentum = 0.9;
        config.optimizer.weight_decay = 1e-3;
        std::vector<float> x[2];
        std::vector<double> u[2];
        for (const int dense : {0, 1})
          emulate(with(config, dense ? "sgp" : "sparse_push", 1.0, eta, scope), [&](Emulator<Cpu>& e) {
            advance(e, 25);
            x[dense] = e.nodes().x.to_host();
            u[dense] = e.nodes().u.to_host();
          });
        EXPECT_EQ(x[0], x[1]) << scope << ", eta " << eta << ", redraw " << redraw;
        EXPECT_EQ(u[0], u[1]);
      }
}

TEST(Invariants, IdentityIsTheDenseMethodAndIsCountedAsDense) {
  const QuadraticFile file(5, kSegments, 1);
  Config config = irregular(gossip_config(file, 5, ""), false);
  config.optimizer.lr = 0.05;
  std::vector<float> x[2];
  std::int64_t wire[2];
  for (const int dense : {0, 1}) {
    Config c = with(config, dense ? "sgp" : "sparse_push", 0.01, 0.5);
    if (!dense) c.algorithm.compressor = "identity";
    emulate(c, [&](Emulator<Cpu>& e) {
      advance(e, 10);
      x[dense] = e.nodes().x.to_host();
      const MetricsRow row = e.measure(false).front();
      wire[dense] = row.bytes_wire;
      EXPECT_EQ(row.bytes_wire, row.bytes_dense);
      EXPECT_EQ(row.bytes_coo32, row.bytes_dense);
    });
  }
  EXPECT_EQ(x[0], x[1]);
  EXPECT_EQ(wire[0], wire[1]);
}

TEST(Invariants, CompressingAndMixingMoveNoMass) {
  constexpr int kNodes = 7;
  const QuadraticFile file(kNodes, kSegments, 0);
  for (const bool redraw : {false, true})
    for (const double keep : {0.001, 0.05, 1.0})
      emulate(with(irregular(gossip_config(file, kNodes, ""), redraw), "sparse_push", keep, 0.2),
              [&](Emulator<Cpu>& e) {
                for (int round = 0; round < 50; ++round) {
                  const auto before = e.nodes().x.to_host();
                  advance(e, 1);
                  const auto after = e.nodes().x.to_host();
                  const auto kept = e.nodes().value->to_host();
                  const auto in_degree = kNodes - 1;
                  double magnitude = 0, moved = 0;
                  for (const float v : before) magnitude += std::abs(v);
                  for (const float v : kept) magnitude += std::abs(v);
                  const auto sums_before = column_sums(before, kNodes), sums_after = column_sums(after, kNodes);
                  for (std::size_t j = 0; j < sums_before.size(); ++j)
                    moved += std::abs(sums_after[j] - sums_before[j]);
                  ASSERT_LE(moved, (in_degree + 1) * 0x1p-24 * magnitude);
                }
                double mass = 0;
                for (const double u : e.nodes().u.to_host()) mass += u;
                EXPECT_NEAR(mass, kNodes, 1e-12 * kNodes);
              });
}

TEST(Invariants, MessagePlusErrorIsTheCompressedValueExactly) {
  const QuadraticFile file(4, kSegments, 1);
  for (const std::string compressor : {"top_k", "identity"})
    for (const std::string scope : {"layer", "global"}) {
      Config config = with(gossip_config(file, 4, "directed_ring"), "sparse_push", 0.02, 0.02, scope);
      config.optimizer.lr = 0.1;
      config.optimizer.momentum = 0.5;
      config.optimizer.weight_decay = 0.01;
      config.algorithm.compressor = compressor;
      emulate(config, [](Emulator<Cpu>& e) {
        for (int round = 0; round < 30; ++round) {
          // V = X' + E, from a copy of the state and the step's own arithmetic
          const auto x = e.nodes().x.to_host(), error = e.nodes().error->to_host();
          auto momentum = e.nodes().momentum.to_host();
          const auto u = e.nodes().u.to_host();
          e.take_gradients();
          const auto gradient = e.nodes().gradient.to_host();
          e.run_algorithm();
          const auto after = e.nodes().error->to_host();
          const auto& layout = e.nodes().layout;
          const auto message = e.nodes().messages();
          for (int i = 0; i < 4; ++i) {
            std::vector<float> q(layout.row, 0.0f);
            for (int k = 0; k < message.value.cols; ++k) q[message.position.row(i)[k]] = message.value.row(i)[k];
            for (const Segment& s : layout.segments)
              for (std::int64_t j = s.begin; j < s.begin + s.size; ++j) {
                const std::size_t at = i * layout.row + j;
                const float z = x[at] * static_cast<float>(1.0 / u[i]);
                const float m = std::fma(0.5f, momentum[at], std::fma(0.01f, z, gradient[at]));
                const float v = std::fma(-0.1f, m, x[at]) + error[at];
                ASSERT_EQ(q[j] + after[at], v) << "node " << i << ", position " << j;
                ASSERT_TRUE(q[j] == 0 || after[at] == 0);
              }
          }
        }
      });
    }
}

TEST(Invariants, PushWeightsStayOneOnRegularTopologies) {
  const QuadraticFile file(8, {40}, 0);
  for (const std::string name : {"directed_ring", "exponential", "one_peer_exponential", "complete"})
    emulate(with(gossip_config(file, 8, name), "sparse_push", 0.1, 0.1), [&](Emulator<Cpu>& e) {
      EXPECT_TRUE(push_sum_is_idle(e.experiment().topologies().front()));
      advance(e, 40);
      EXPECT_EQ(e.nodes().u.to_host(), std::vector<double>(8, 1.0)) << name;
    });
}

TEST(Invariants, OnIrregularTopologiesTheNumeratorsAreBiasedAndTheDebiasedParametersAreNot) {
  const QuadraticFile file(8, {40}, 0);
  emulate(with(irregular(gossip_config(file, 8, ""), false), "sgp", 1, 1), [](Emulator<Cpu>& e) {
    EXPECT_FALSE(push_sum_is_idle(e.experiment().topologies().front()));
    auto mean = column_sums(e.nodes().x.to_host(), 8);
    for (double& m : mean) m /= 8;
    advance(e, 200);
    const auto x = e.nodes().x.to_host();
    const auto u = e.nodes().u.to_host();
    double bias = 0;
    for (int i = 0; i < 8; ++i)
      for (int j = 0; j < 40; ++j) {
        EXPECT_NEAR(x[i * 40 + j] / u[i], mean[j], 1e-5);
        bias = std::max(bias, std::abs(x[i * 40 + j] - mean[j]));
      }
    EXPECT_GT(bias, 0.05);
  });
}

TEST(Invariants, DisagreementSettlesAtAFloorProportionalToTheAveragingRate) {
  const QuadraticFile file(8, {4000}, 0);
  const auto floor_at = [&](double eta, int rounds) {
    double floor = 0;
    emulate(with(gossip_config(file, 8, "directed_ring"), "sparse_push", 0.01, eta), [&](Emulator<Cpu>& e) {
      advance(e, rounds);
      floor = consensus(e);
      const auto row = e.measure(false).front();
      EXPECT_GT(*row.error_ratio, 20) << eta;  // about 0.42 / keep
      EXPECT_LT(*row.error_ratio, 80) << eta;
    });
    return floor;
  };
  EXPECT_NEAR(floor_at(0.01, 5000), 0.18, 0.05);
  EXPECT_LT(floor_at(0.005, 10'000), 0.10);
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
  const QuadraticFile file(16, {100}, 0);
  emulate(with(gossip_config(file, 16, "one_peer_exponential"), "sgp", 1, 1), [](Emulator<Cpu>& e) {
    advance(e, 3);
    EXPECT_GT(consensus(e), 0.1);
    advance(e, 1);
    EXPECT_LT(consensus(e), 1e-6);
  });
}

TEST(Invariants, FinalRoundsReturnTheMeanWhateverTheErrorMemoryHolds) {
  const QuadraticFile file(8, kSegments, 1);
  for (const std::string final : {"gossip", "all_reduce"}) {
    Config config = with(irregular(gossip_config(file, 8, ""), true), "scsp", 0.01, 0.01);
    config.run.steps = 60;
    config.optimizer.lr = 0.1;
    config.algorithm.final = final;
    config.algorithm.final_rounds = 100;
    emulate(config, [&](Emulator<Cpu>& e) {
      advance(e, 60);
      auto mean = column_sums(e.nodes().x.to_host(), 8);
      for (double& m : mean) m /= 8;
      EXPECT_GT(consensus(e), 0.01);
      while (e.step() < e.experiment().schedule().end()) e.run_final_round();
      const auto x = e.nodes().x.to_host();
      const auto u = e.nodes().u.to_host();
      for (std::size_t k = 0; k < x.size(); ++k)
        ASSERT_NEAR(x[k] / u[k / mean.size()], mean[k % mean.size()],
                    2e-5 * std::max(1.0, std::abs(mean[k % mean.size()])));
      for (const float v : e.nodes().error->to_host()) ASSERT_EQ(v, 0.0f);
    });
  }
}

}  // namespace
}  // namespace sparsepush
