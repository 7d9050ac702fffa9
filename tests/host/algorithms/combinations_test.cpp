// Every combination of method, compressor, optimizer and a topology of each kind trains, or is refused: exactly those
// that cannot work.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/files/input_error.h"
#include "data/table.h"
#include "host/config/config_fields.h"
#include "host/recipe/compressors.h"
#include "host/recipe/methods.h"
#include "host/recipe/optimizers.h"
#include "tests/backends.h"
#include "tests/host/emulation.h"

namespace sparsepush {
namespace {

constexpr int kNodes = 6;

/// What a method may need of a topology.
struct Graph {
  std::string keys;
  bool is_static = false, doubly_stochastic = false, symmetric = false;
};

const std::vector<Graph>& graphs() {
  static const std::vector<Graph> all = {
      {"name = \"random_out\"\ndegree = 2\n", true},
      {"name = \"random_out\"\ndegree = 2\nredraw = true\n"},
      {"name = \"exponential\"\n", true, true},
      {"name = \"one_peer_exponential\"\n", false, true},
      {"name = \"ring\"\nweights = \"metropolis\"\n", true, true, true},
      {"name = \"random_matching\"\n", false, true, true},
  };
  return all;
}

struct Combination {
  std::string method, compress, compressor, optimizer;  ///< the second and third empty where they do not count
  Graph graph;

  std::vector<std::string> names() const { return {method, compress, compressor, optimizer, graph.keys}; }
  std::string text() const { return fmt::format("{}", fmt::join(names(), " | ")); }
};

bool is_one_of(const std::string& name, const std::set<std::string>& names) { return names.contains(name); }

/// By what the method is, not by what the program says.
bool can_work(const Combination& c) {
  const Graph& graph = c.graph;
  if (is_one_of(c.method, {"d_psgd", "deep_squeeze", "gradient_tracking"}) && !graph.doubly_stochastic) return false;
  if (is_one_of(c.method, {"choco", "quantized_push_sum"}) && !graph.is_static) return false;
  if (c.method == "d2" && !(graph.is_static && graph.symmetric)) return false;
  if (c.method == "quantized_push_sum" && !is_one_of(c.compressor, {"qsgd", "identity"})) return false;
  const bool second_correction = is_one_of(c.method, {"gradient_tracking", "push_gradient_tracking", "d2"});
  if (is_one_of(c.optimizer, {"quasi_global", "adam"}) && second_correction) return false;
  return c.optimizer != "quasi_global" || !is_one_of(c.method, {"all_reduce", "none"});
}

/// All of them; under a sanitizer some.
std::vector<Combination> combinations() {
  std::vector<Combination> all;
  for (const Method& method : methods()) {
    std::vector<std::string> compressor_names, ways = {""};
    for (const Compressor& compressor : compressors()) compressor_names.push_back(compressor.name);
    if (!method.compresses()) compressor_names = {""};
    if (std::ranges::find(method.keys, "compress") != method.keys.end()) ways = {"parameters", "update"};
    for (const std::string& way : ways)
      for (const std::string& compressor : compressor_names)
        for (const Optimizer& optimizer : optimizers())
          for (const Graph& graph : graphs()) {
            if (!method.needs.topology && graph.keys != graphs().front().keys) continue;
            all.push_back({method.name, way, compressor, optimizer.name, graph});
          }
  }
  if (!kSanitized) return all;
  std::vector<Combination> some;
  for (std::size_t i = 0; i < all.size(); i += 7) some.push_back(all[i]);
  return some;
}

/// Adds `key = value` where it counts.
void set(std::string& section, const Config& names, std::string_view key, const std::string& value) {
  const Field* field = find_field("algorithm", key);
  ASSERT_NE(field, nullptr) << key;
  if (!why_unused(*field, names)) section += fmt::format("{} = {}\n", key, value);
}

Config config_of(const Combination& c, const QuadraticFile& file) {
  Config names;
  names.algorithm.name = c.method;
  if (!c.compressor.empty()) names.algorithm.compressor = c.compressor;
  std::string algorithm = fmt::format("name = \"{}\"\n", c.method);
  if (!c.compressor.empty()) algorithm += fmt::format("compressor = \"{}\"\n", c.compressor);
  if (!c.compress.empty()) algorithm += fmt::format("compress = \"{}\"\n", c.compress);
  if (c.compress != "update") set(algorithm, names, "averaging_rate", "0.03");
  set(algorithm, names, "keep", "0.3");
  set(algorithm, names, "blocks", "5");
  set(algorithm, names, "final_rounds", "3");
  const std::string topology = row_named(methods(), "", c.method).needs.topology ? "[topology]\n" + c.graph.keys : "";
  return parse_config(
      fmt::format("[run]\nnodes = {}\nsteps = 20\nthreads = 1\n[data]\nname = \"quadratic\"\nfile = \"{}\"\n"
                  "[optimizer]\nkind = \"{}\"\nlr = 0.02\nmomentum = 0.5\n[algorithm]\n{}{}",
                  kNodes, file.path(), c.optimizer, algorithm, topology),
      {});
}

/// Trains and looks at what the nodes have become.
template <class Backend>
void train(const Backend& backend, const Config& config, int steps) {
  emulate_on(backend, config, [&](Emulator<Backend>& e) {
    const std::vector<float> start = e.nodes().to_host(state::x);
    advance(e, steps);
    const std::vector<float> x = e.nodes().to_host(state::x);
    EXPECT_NE(x, start);
    EXPECT_TRUE(std::ranges::all_of(x, [](float v) { return std::isfinite(v); }));
    EXPECT_NEAR(e.measure(true).front().u_sum, kNodes, 1e-9);
  });
}

TEST(Combinations, TrainOrAreRefused) {
  const QuadraticFile file(kNodes, {1, 30, 7}, 0.5f, 1, {1, 1, 6, 5, 7, 1});  // a matrix of 6 x 5
  const Cpu cpu = tested_cpu(1);
  int trained = 0, refused = 0;
  for (const Combination& c : combinations()) {
    SCOPED_TRACE(c.text());
    try {
      const Config config = config_of(c, file);
      Experiment experiment(config);
      experiment.check();
      EXPECT_TRUE(can_work(c));
      train(cpu, config, 20 + static_cast<int>(experiment.schedule().final_rounds()));
      ++trained;
    } catch (const InputError& error) {
      EXPECT_FALSE(can_work(c)) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(trained, 50);
  EXPECT_GT(refused, 20);
}

/// Few combinations that have every pair of names that can work together.
std::vector<Combination> pairs_of_names() {
  std::set<std::pair<std::string, std::string>> seen;
  std::vector<Combination> few;
  for (const Combination& c : combinations()) {
    if (!can_work(c)) continue;
    const std::size_t before = seen.size();
    const auto names = c.names();
    for (const std::string& a : names)
      for (const std::string& b : names)
        if (a < b) seen.emplace(a, b);
    if (seen.size() > before) few.push_back(c);
  }
  return few;
}

TEST(Combinations, EveryPairOfNamesTrainsOnAGpu) {
  if (!Cuda::is_available()) GTEST_SKIP() << "no CUDA GPU";
  const QuadraticFile file(kNodes, {1, 30, 7}, 0.5f, 1, {1, 1, 6, 5, 7, 1});  // a matrix of 6 x 5
  for (const Combination& c : pairs_of_names()) {
    SCOPED_TRACE(c.text());
    train(Cuda(), config_of(c, file), 2);
  }
}

}  // namespace
}  // namespace sparsepush
