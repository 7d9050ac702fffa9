// Where methods come to on quadratic objectives that differ from node to node.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "tests/host/emulation.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 7, kParameters = 12;
constexpr double kLr = 0.05;
constexpr std::int64_t kSteps = 2000;

/// f_i(x) = sum over j of h (x - c)^2 / 2 with curvatures h in [0.2, 2].
class Convergence : public testing::Test {
 protected:
  Convergence() {
    std::mt19937 random(3);
    std::uniform_real_distribution<float> curvature(0.2f, 2.0f);
    std::normal_distribution<float> normal;
    std::vector<float> start(kNodes * kParameters);
    for (int i = 0; i < kNodes * kParameters; ++i) {
      h_.push_back(curvature(random));
      c_.push_back(normal(random));
      start[i] = normal(random) * (i < kParameters);
    }
    for (int i = kParameters; i < kNodes * kParameters; ++i) start[i] = start[i % kParameters];
    const std::vector<std::int64_t> shape = {kNodes, kParameters};
    SafetensorsWriter file(problem_, {{"curvature", "F32", shape}, {"target", "F32", shape}, {"start", "F32", shape}},
                           {});
    file.write<float>("curvature", 0, h_);
    file.write<float>("target", 0, c_);
    file.write<float>("start", 0, start);
    file.commit();
  }

  Config config_of(const std::string& method, const std::string& edges = "") const {
    Config config;
    config.run.nodes = kNodes;
    config.run.steps = kSteps + 1;
    config.run.threads = 1;
    config.data.name = "quadratic";
    config.data.file = problem_;
    config.algorithm.name = method;
    config.algorithm.averaging_rate = 1;
    config.optimizer.lr = kLr;
    config.optimizer.momentum = 0;
    config.optimizer.weight_decay = 0;
    if (!edges.empty()) {
      config.topology.name = "file";
      config.topology.file = folder_ / (std::to_string(std::hash<std::string>{}(edges)) + ".csv");
      write_file(config.topology.file, "round,source,target\n" + edges);
    }
    return config;
  }
  /// A ring one way, and further edges of some nodes.
  static std::string irregular(int round = 0) {
    std::string edges;
    for (int node = 0; node < kNodes; ++node)
      for (int more = 0; more <= node % 4; ++more)
        edges += std::to_string(round) + "," + std::to_string(node) + "," +
                 std::to_string((node + 1 + more * (round + 1)) % kNodes) + "\n";
    return edges;
  }
  static std::string ring() {
    std::string edges;
    for (int node = 0; node < kNodes; ++node)
      for (const int offset : {1, kNodes - 1})
        edges += "0," + std::to_string(node) + "," + std::to_string((node + offset) % kNodes) + "\n";
    return edges;
  }

  /// Of the sum of w (x - c)^2, element j, w a function of a curvature.
  template <class Weight>
  std::vector<double> minimum(const Weight& weight) const {
    std::vector<double> x(kParameters);
    for (int j = 0; j < kParameters; ++j) {
      double sum = 0, weights = 0;
      for (int i = j; i < kNodes * kParameters; i += kParameters) {
        sum += weight(h_[i]) * c_[i];
        weights += weight(h_[i]);
      }
      x[j] = sum / weights;
    }
    return x;
  }
  /// The largest distance of a node's z from `from`.
  static double distance(Emulator<Cpu>& e, const std::vector<double>& from) {
    const auto x = e.nodes().to_host(state::x);
    const auto u = e.nodes().to_host(state::u);
    const std::size_t row = e.nodes().layout.row;
    double largest = 0;
    for (int node = 0; node < kNodes; ++node)
      for (int j = 0; j < kParameters; ++j)
        largest = std::max(largest, std::abs(x[node * row + j] / u[node] - from[j]));
    return largest;
  }
  /// The same after kSteps steps, from the minimum of the sum of all objectives.
  double error_of(const Config& config) const {
    double error = 0;
    emulate(config, [&](Emulator<Cpu>& e) {
      advance(e, kSteps);
      error = distance(e, minimum([](float h) { return h; }));
    });
    return error;
  }

  TemporaryFolder folder_;
  std::string problem_ = folder_ / "problem.safetensors";
  std::vector<float> h_, c_;
};

void expect_equal_rows(Emulator<Cpu>& e, const Array<float>& array) {
  const auto rows = e.nodes().to_host(array);
  for (std::size_t i = 0; i < rows.size(); ++i) ASSERT_EQ(rows[i], rows[i % e.nodes().layout.row]) << array.name;
}

TEST_F(Convergence, AllReduceKeepsNodesEqualAndFindsTheMinimum) {
  Config config = config_of("all_reduce");
  config.optimizer.momentum = 0.5;
  emulate(config, [&](Emulator<Cpu>& e) {
    for (const int steps : {1, 20, 1979}) {
      advance(e, steps);
      expect_equal_rows(e, state::x);
      expect_equal_rows(e, state::momentum);
    }
    EXPECT_LT(distance(e, minimum([](float h) { return h; })), 2e-6);
  });
}

/// Of H local steps, a node with curvature h comes 1 - (1 - a h)^H of the way to its own minimum.
TEST_F(Convergence, LocalSgdFindsTheMinimumOfWhatLocalStepsWeigh) {
  for (const int local_steps : {1, 5, 20}) {
    Config config = config_of("local_sgd");
    config.algorithm.local_steps = local_steps;
    emulate(config, [&](Emulator<Cpu>& e) {
      advance(e, kSteps);
      expect_equal_rows(e, state::x);
      const auto way = [&](float h) { return 1 - std::pow(1 - kLr * h, local_steps); };
      EXPECT_LT(distance(e, minimum(way)), 2e-6) << local_steps;
      if (local_steps > 1) {
        EXPECT_GT(distance(e, minimum([](float h) { return h; })), 1e-3) << local_steps;
        advance(e, 1);
        EXPECT_GT(distance(e, minimum(way)), 1e-3) << "a step of one's own";
      }
    });
  }
}

TEST_F(Convergence, GradientTrackingFindsTheMinimumWhereGossipStopsBeforeIt) {
  EXPECT_GT(error_of(config_of("d_psgd", ring())), 0.05);
  EXPECT_LT(error_of(config_of("gradient_tracking", ring())), 5e-6);
  for (const std::string& edges : {irregular(), irregular() + irregular(1) + irregular(2)}) {
    EXPECT_GT(error_of(config_of("sgp", edges)), 0.05);
    EXPECT_LT(error_of(config_of("push_gradient_tracking", edges)), 5e-6);
    Config heavy = config_of("push_gradient_tracking", edges);
    heavy.optimizer.momentum = 0.5;
    heavy.optimizer.lr = kLr / 2;
    EXPECT_LT(error_of(heavy), 5e-6);
  }
}

TEST_F(Convergence, D2FindsTheMinimumAndItsCorrectionsSumUpToNothing) {
  Config config = config_of("d2", ring());
  config.algorithm.averaging_rate = 0.5;
  EXPECT_LT(error_of(config), 2e-6);
  emulate(config, [&](Emulator<Cpu>& e) {
    for (const int steps : {1, 1500}) {
      advance(e, steps);
      std::vector<double> sum(e.nodes().layout.row);
      const auto rows = e.nodes().to_host(Array<float>({.name = "correction"}));
      for (std::size_t i = 0; i < rows.size(); ++i) sum[i % sum.size()] += rows[i];
      for (const double s : sum) EXPECT_NEAR(s, 0, 1e-6);
    }
  });
}

/// At rest nothing is left of it, so that it changes no fixed point; heavy ball's is at another place here.
TEST_F(Convergence, QuasiGlobalMomentumComesToWherePlainGossipDoes) {
  const auto minimum_of_all = minimum([](float h) { return h; });
  const auto end_of = [&](const std::string& kind, double momentum) {
    Config config = config_of("sgp", irregular());
    config.optimizer.kind = kind;
    config.optimizer.momentum = momentum;
    std::vector<float> x;
    emulate(config, [&](Emulator<Cpu>& e) {
      advance(e, kSteps);
      x = e.nodes().to_host(state::x);
      if (kind == "quasi_global") {
        for (const float m : e.nodes().to_host(state::momentum)) EXPECT_NEAR(m, 0, 1e-4);
      }
    });
    return x;
  };
  const std::vector<float> plain = end_of("heavy_ball", 0), quasi_global = end_of("quasi_global", 0.9),
                           heavy = end_of("heavy_ball", 0.9);
  double away = 0;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    EXPECT_NEAR(quasi_global[i], plain[i], 1e-5) << i;
    away = std::max(away, std::abs(static_cast<double>(heavy[i]) - plain[i]));
  }
  EXPECT_GT(away, 0.1);
}

/// Nodes that scale their steps by gradients of their own do not agree on what all minimise.
TEST_F(Convergence, AdamFindsTheMinimumWhereGradientsAreAveraged) {
  for (const auto& [method, most] : {std::pair{"all_reduce", 2e-5}, std::pair{"sgp", 2.0}}) {
    Config config = config_of(method, irregular());
    config.optimizer.kind = "adam";
    config.optimizer.momentum = 0.9;
    config.optimizer.lr = 0.01;
    const double error = error_of(config);
    EXPECT_LT(error, most) << method;
    if (config.algorithm.name == "sgp") {
      EXPECT_GT(error, 0.05);
    }
  }
}

/// What a node sends is what its own steps come to: further nodes hear nothing of it before final rounds.
TEST_F(Convergence, CompressedUpdatesKeepTheSumAndBringNoConsensus) {
  Config config = config_of("scsp", irregular());
  config.run.steps = 300;
  config.algorithm.compress = "update";
  config.algorithm.keep = 0.3;
  config.algorithm.final_rounds = 60;
  emulate(config, [&](Emulator<Cpu>& e) {
    const auto spread = [&] {
      const MetricsRow row = e.measure(false).front();
      return *row.consensus;
    };
    advance(e, 300);
    for (const double u : e.nodes().to_host(state::u)) EXPECT_EQ(u, 1.0);
    EXPECT_GT(spread(), 0.3);
    const auto sum_of = [&] {
      std::vector<double> sum(e.nodes().layout.row);
      const auto x = e.nodes().to_host(state::x);
      for (std::size_t i = 0; i < x.size(); ++i) sum[i % sum.size()] += x[i];
      return sum;
    };
    const std::vector<double> before = sum_of();
    advance(e, 60);
    const std::vector<double> after = sum_of();
    for (std::size_t j = 0; j < before.size(); ++j) EXPECT_NEAR(after[j], before[j], 1e-4);
    EXPECT_LT(spread(), 1e-5);
  });
}

TEST_F(Convergence, QuantizedPushSumStopsWhereSgpDoes) {
  Config config = config_of("quantized_push_sum", irregular());
  config.algorithm.compressor = "qsgd";
  EXPECT_NEAR(error_of(config), error_of(config_of("sgp", irregular())), 0.01);
}

TEST_F(Convergence, TrackersSumUpToTheLastGradients) {
  for (const auto& config : {config_of("gradient_tracking", ring()), config_of("push_gradient_tracking", irregular())})
    emulate(config, [&](Emulator<Cpu>& e) {
      for (const int steps : {1, 30}) {
        advance(e, steps);
        const Nodes<Cpu>& n = e.nodes();
        std::vector<double> difference(n.layout.row);
        for (const auto& [name, sign] : {std::pair{"tracker", 1.0}, std::pair{"last_gradient", -1.0}}) {
          const auto array = std::ranges::find(n.arrays, std::string_view(name), &StateArray::name);
          const auto rows = n.to_host(Array<float>(**array));
          for (std::size_t i = 0; i < rows.size(); ++i) difference[i % difference.size()] += sign * rows[i];
        }
        for (const double d : difference) EXPECT_NEAR(d, 0, 1e-5);
      }
    });
}

TEST_F(Convergence, TheFirstStepOfTrackingIsThatOfPlainGossip) {
  const auto first = [](const Config& config) {
    std::vector<float> x;
    emulate(config, [&](Emulator<Cpu>& e) {
      advance(e, 1);
      x = e.nodes().to_host(state::x);
    });
    return x;
  };
  EXPECT_EQ(first(config_of("gradient_tracking", ring())), first(config_of("d_psgd", ring())));
  EXPECT_EQ(first(config_of("push_gradient_tracking", irregular())), first(config_of("sgp", irregular())));
}

}  // namespace
}  // namespace sparsepush
