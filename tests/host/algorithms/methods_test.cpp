// What single methods promise: where they converge, which topologies they refuse, what their messages cost.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/data/error_of.h"
#include "tests/host/outcome.h"
#include "tests/host/records/saved_run.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 6, kParameters = 54;

class Methods : public testing::Test {
 protected:
  /// What the program says about a method on a topology; F is the test's folder.
  std::string refusal(const std::string& method, const TopologyConfig& topology, double averaging_rate = 0.5) const {
    Config config = gossip_config(file_, kNodes, topology.name);
    config.topology = topology;
    config.algorithm.name = method;
    config.algorithm.averaging_rate = averaging_rate;
    return error_of([&] { Experiment experiment(config); }, folder_.path());
  }
  static TopologyConfig named(const std::string& name) {
    TopologyConfig topology;
    topology.name = name;
    return topology;
  }
  static TopologyConfig random_out(int degree, bool redraw) {
    TopologyConfig topology = named("random_out");
    topology.degree = degree;
    topology.redraw = redraw;
    return topology;
  }
  /// A file with edges "round,source,target".
  TopologyConfig topology_file(const std::string& edges) const {
    write_file(folder_ / "edges.csv", "round,source,target\n" + edges);
    TopologyConfig topology = named("file");
    topology.file = folder_ / "edges.csv";
    return topology;
  }
  /// Node 0 and every other one hear each other.
  TopologyConfig star() const {
    std::string edges;
    for (int leaf = 1; leaf < kNodes; ++leaf)
      edges += "0,0," + std::to_string(leaf) + "\n0," + std::to_string(leaf) + ",0\n";
    return topology_file(edges);
  }
  /// Everyone hears both neighbours.
  TopologyConfig ring() const {
    std::string edges;
    for (int node = 0; node < kNodes; ++node)
      for (const int offset : {1, kNodes - 1})
        edges += "0," + std::to_string(node) + "," + std::to_string((node + offset) % kNodes) + "\n";
    return topology_file(edges);
  }
  Config choco_config(const TopologyConfig& topology) const {
    Config config = gossip_config(file_, kNodes, topology.name);
    config.topology = topology;
    config.algorithm.name = "choco";
    config.algorithm.keep = config.algorithm.averaging_rate = 1.0 / 3;
    return config;
  }

  const TemporaryFolder folder_;
  const QuadraticFile file_{kNodes, {1, 33, 20}, 0};  ///< curvature 0: gossip alone
};

template <class Backend>
class MethodsOn : public BackendTest<Backend, Methods> {};
TYPED_TEST_SUITE(MethodsOn, Backends);

/// sum x / sum u over the nodes, an element each.
std::vector<double> mean_of(const std::vector<float>& x, const std::vector<double>& u) {
  const std::size_t columns = x.size() / u.size();
  std::vector<double> mean(columns);
  for (std::size_t i = 0; i < x.size(); ++i) mean[i % columns] += x[i];
  for (double& m : mean) m /= std::accumulate(u.begin(), u.end(), 0.0);
  return mean;
}

double norm(const std::vector<double>& v) { return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0)); }

/// Largest |z - mean| of a node over |mean|.
double consensus_of(const std::vector<float>& x, const std::vector<double>& u, const std::vector<double>& mean) {
  double largest = 0;
  for (std::size_t node = 0; node < u.size(); ++node) {
    std::vector<double> away(mean.size());
    for (std::size_t j = 0; j < mean.size(); ++j) away[j] = x[node * mean.size() + j] / u[node] - mean[j];
    largest = std::max(largest, norm(away));
  }
  return largest / norm(mean);
}

TYPED_TEST(MethodsOn, ChocoResumesWithItsCopiesOnAnyShards) {
  Config config = this->choco_config(this->star());
  config.optimizer.lr = 0.05;
  config.optimizer.momentum = 0.9;
  const std::string at = this->folder_ / "middle", behind = this->folder_ / "end";
  const auto end_of = [&](int shards, const auto& advance_to_end) {
    config.run.shards = shards;
    Experiment experiment(config);
    experiment.prepare_data();
    std::unique_ptr<SafetensorsWriter> file;
    run_shards<TypeParam>(shards, 1, kNodes, [&](Transport<TypeParam>& transport) {
      const TypeParam backend = tested_backend<TypeParam>();
      Emulator<TypeParam> e(backend, experiment, transport);
      advance_to_end(e, file);
      checkpoint_of(e, file, behind);
    });
    return read_file(behind);
  };
  const std::string whole = end_of(1, [&](auto& e, auto&) { advance(e, 30); });
  for (const int before : {1, 2}) {
    const std::string saved = end_of(before, [&](auto& e, auto& file) {
      advance(e, 11);
      checkpoint_of(e, file, at);
      advance(e, 19);
    });
    EXPECT_TRUE(saved == whole) << "saved on " << before << " shards";
    for (const int after : {1, 2}) {
      const std::string resumed = end_of(after, [&](auto& e, auto&) {
        read_checkpoint(at, e);
        advance(e, 19);
      });
      EXPECT_TRUE(resumed == whole) << "from " << before << " to " << after << " shards";
    }
  }
}

TYPED_TEST(MethodsOn, DPsgdAndD2SendParametersAndNoWeight) {
  Config config = gossip_config(this->file_, kNodes, "file");
  config.topology = this->ring();
  for (const auto& [method, shards] : {std::pair{"d_psgd", 1}, {"d_psgd", 2}, {"d2", 1}, {"d2", 2}}) {
    config.algorithm.name = method;
    config.run.shards = shards;
    Experiment experiment(config);
    experiment.prepare_data();
    const Outcome outcome = outcomes_of<TypeParam>(experiment, 5).front();
    for (const auto& sent : outcome.sent)
      for (const SentCount count : {kMessagesSent, kAuthorsBytes, kCoo32Bytes, kWireBytes})
        EXPECT_EQ(sent[count], 5 * 2 * (count == kMessagesSent ? 1 : 4 * kParameters));
  }
}

TYPED_TEST(MethodsOn, ExactMeansAndTrackingHaveTheSameBitsOnAnyShards) {
  const QuadraticFile file(kNodes, {1, 33, 20}, 1);
  for (const std::string method : {"all_reduce", "local_sgd", "gradient_tracking", "push_gradient_tracking"}) {
    SCOPED_TRACE(method);
    Config config = gossip_config(file, kNodes, "one_peer_exponential");
    config.algorithm.name = method;
    config.algorithm.averaging_rate = 1;
    config.optimizer.lr = 0.05;
    config.run.replicas = 2;
    const auto outcomes_on = [&](int shards) {
      config.run.shards = shards;
      Experiment experiment(config);
      experiment.prepare_data();
      return outcomes_of<TypeParam>(experiment, 5);
    };
    const auto whole = outcomes_on(1);
    EXPECT_EQ(outcomes_on(2), whole);
    EXPECT_EQ(outcomes_on(3), whole);
  }
}

TYPED_TEST(MethodsOn, ExactMeansAreCountedAlongAChainAndBack) {
  for (const std::string method : {"all_reduce", "local_sgd"}) {
    Config config = gossip_config(this->file_, kNodes, "directed_ring");
    config.algorithm.name = method;
    Experiment experiment(config);
    experiment.prepare_data();
    std::int64_t messages = 0, bytes = 0;
    const Outcome outcome = outcomes_of<TypeParam>(experiment, 5).front();
    for (const auto& sent : outcome.sent) {
      messages += sent[kMessagesSent];
      bytes += sent[kWireBytes];
    }
    EXPECT_EQ(messages, 5 * 2 * (kNodes - 1)) << method;
    EXPECT_EQ(bytes, messages * 4 * kParameters) << method;
  }
}

TEST_F(Methods, ChocoOnAStarComesToTheMeanOfItsStart) {
  emulate_on(tested_cpu(1), choco_config(star()), [](Emulator<Cpu>& e) {
    const Nodes<Cpu>& n = e.nodes();
    const std::vector<double> start = mean_of(n.to_host(state::x), n.to_host(state::u));
    EXPECT_GT(consensus_of(n.to_host(state::x), n.to_host(state::u), start), 0.5);
    advance(e, 2000);
    const std::vector<double> end = mean_of(n.to_host(state::x), n.to_host(state::u));
    EXPECT_LT(consensus_of(n.to_host(state::x), n.to_host(state::u), end), 1e-6);
    for (std::size_t j = 0; j < end.size(); ++j) EXPECT_NEAR(end[j], start[j], 1e-5) << "element " << j;
  });
}

TEST_F(Methods, ChocoNeedsTheSameEdgesInEveryRound) {
  const std::string needs = "algorithm.name: choco needs the same edges in every round; ";
  EXPECT_EQ(refusal("choco", named("one_peer_exponential")), needs + "one_peer_exponential has 3 rounds");
  EXPECT_EQ(refusal("choco", random_out(2, true)), needs + "random_out is drawn anew in each");
  EXPECT_EQ(refusal("choco", topology_file("0,0,1\n0,1,2\n0,2,3\n1,3,4\n1,4,5\n1,5,0\n")),
            needs + "F/edges.csv has 2 rounds");
  EXPECT_EQ(refusal("choco", random_out(2, false)), "");
  EXPECT_EQ(refusal("choco", named("directed_ring")), "");
  EXPECT_EQ(refusal("choco", star()), "");
}

TEST_F(Methods, D2NeedsWeightsThatAreTheSameBothWaysAndNodesThatKeepAThird) {
  const std::string needs = "algorithm.name: d2 needs ",
                    both = needs + "weights that are the same both ways; in round 0 of ";
  for (const std::string name : {"ring", "complete"}) EXPECT_EQ(refusal("d2", named(name)), "") << name;
  EXPECT_EQ(refusal("d2", ring()), "");
  EXPECT_EQ(refusal("d2", named("directed_ring")),
            both + "directed_ring node 0 hears node 5 with 0.5, but node 5 hears node 0 with 0");
  EXPECT_EQ(refusal("d2", star()),
            both + "F/edges.csv node 0 hears node 1 with 0.5, but node 1 hears node 0 with 0.166667");
  EXPECT_EQ(refusal("d2", named("one_peer_exponential")),
            needs + "the same edges in every round; one_peer_exponential has 3 rounds");
  EXPECT_EQ(refusal("d2", named("complete"), 0.6), "");
  EXPECT_EQ(refusal("d2", named("complete"), 0.9),
            "algorithm.averaging_rate: d2 needs nodes that keep more than 0.333333 of their own; with 0.9 node 0 of "
            "complete keeps 0.25; with at most 0.6 every node of any topology does");
}

TEST_F(Methods, ExactMeansTakeAnyTopologyForNone) {
  for (const std::string method : {"all_reduce", "local_sgd", "fda"}) {
    EXPECT_EQ(refusal(method, random_out(2, true)), "");
    EXPECT_EQ(refusal(method, topology_file("0,0,1\n")), "") << "not strongly connected";
  }
}

TEST_F(Methods, WithoutPushSumNeedDoublyStochasticRounds) {
  for (const std::string method : {"d_psgd", "deep_squeeze", "gradient_tracking"}) {
    const std::string needs = "algorithm.name: " + method + " needs doubly stochastic weights; in round ";
    // In its second round node 0 keeps 1/3 and hears node 1 with 1/2.
    const std::string circle = "0,0,1\n0,1,2\n0,2,3\n0,3,4\n0,4,5\n0,5,0\n";
    EXPECT_EQ(refusal(method, topology_file(circle + "1,0,1\n1,0,2\n1,1,0\n")),
              needs + "1 of F/edges.csv the weights of what node 0 receives sum to 0.833333");
    // 1/6 of the hub's own, 1/2 from each of five leaves.
    EXPECT_EQ(refusal(method, star()), needs + "0 of F/edges.csv the weights of what node 0 receives sum to 2.66667");
    for (const bool redraw : {false, true}) {
      const std::string line = refusal(method, random_out(2, redraw));
      EXPECT_TRUE(line.starts_with(needs + "0 of random_out the weights of what node ")) << line;
    }
    EXPECT_EQ(refusal(method, ring()), "");
    EXPECT_EQ(refusal(method, topology_file(circle)), "");
    EXPECT_EQ(refusal(method, random_out(1, true)), "");
    for (const std::string name : {"complete", "directed_ring", "exponential", "one_peer_exponential"})
      EXPECT_EQ(refusal(method, named(name)), "") << name;
  }
}

}  // namespace
}  // namespace sparsepush
