// Emulations small enough for tests: a quadratic problem in a temporary file, and the nodes that minimise it.
#pragma once
#include <unistd.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "data/files/safetensors.h"
#include "host/state/emulator.h"
#include "host/transports/run_shards.h"
#include "tests/vector_levels.h"

namespace sparsepush {

/// A file with random curvature (0: pure gossip), targets and starts, removed at the end.
class QuadraticFile {
 public:
  /// shapes: rows and columns of each segment, or none.
  QuadraticFile(int nodes, std::vector<std::int64_t> segments, float curvature, unsigned seed = 1,
                std::vector<std::int64_t> shapes = {})
      : path_(std::filesystem::temp_directory_path() / ("sparsepush-" + std::to_string(::getpid()) + "-" +
                                                        std::to_string(reinterpret_cast<std::uintptr_t>(this)))) {
    std::int64_t d = 0;
    for (const auto size : segments) d += size;
    const auto segment_count = static_cast<std::int64_t>(segments.size());
    std::mt19937 random(seed);
    std::normal_distribution<float> gaussian;
    const auto draw = [&](float scale) {
      std::vector<float> values(nodes * d);
      for (float& v : values) v = scale * gaussian(random);
      return values;
    };
    std::vector<float> h = draw(1);
    for (float& v : h) v = curvature * std::abs(v);
    std::vector<TensorInfo> tensors = {{"curvature", "F32", {nodes, d}},
                                       {"target", "F32", {nodes, d}},
                                       {"start", "F32", {nodes, d}},
                                       {"segments", "I64", {segment_count}}};
    if (!shapes.empty()) tensors.push_back({"shapes", "I64", {segment_count, 2}});
    SafetensorsWriter file(path_, tensors, {});
    file.write<float>("curvature", 0, h);
    file.write<float>("target", 0, draw(1));
    file.write<float>("start", 0, draw(1));
    file.write<std::int64_t>("segments", 0, segments);
    if (!shapes.empty()) file.write<std::int64_t>("shapes", 0, shapes);
    file.commit();
  }
  ~QuadraticFile() { std::filesystem::remove(path_); }
  QuadraticFile(const QuadraticFile&) = delete;

  std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A configuration that trains `nodes` nodes on the file, with lr 0 until the test sets one: pure gossip.
inline Config gossip_config(const QuadraticFile& file, int nodes, const std::string& topology) {
  Config config;
  config.run.nodes = nodes;
  config.run.steps = 1'000'000;
  config.run.threads = 1;
  config.data.name = "quadratic";
  config.data.file = file.path();
  config.topology.name = topology;
  config.optimizer.lr = 0;
  config.optimizer.momentum = 0;
  config.optimizer.weight_decay = 0;
  return config;
}

/// Calls body(emulator) for the only shard of an experiment that has been prepared.
template <class Backend, class Body>
void emulate_on(const Backend& backend, const Experiment& experiment, Body body) {
  const RunConfig& run = experiment.config().run;
  run_shards<Backend>(1, run.replicas, run.nodes, [&](Transport<Backend>& transport) {
    Emulator<Backend> emulator(backend, experiment, transport);
    body(emulator);
  });
}

/// The same for an experiment of `config`.
template <class Backend, class Body>
void emulate_on(const Backend& backend, const Config& config, Body body) {
  Experiment experiment(config);
  experiment.prepare_data();
  emulate_on(backend, experiment, body);
}

template <class Body>
void emulate(const Config& config, Body body) {
  emulate_on(tested_cpu(config.run.threads), config, body);
}

/// SGD steps and, after the last one, final rounds.
template <class Backend>
void advance(Emulator<Backend>& emulator, std::int64_t steps) {
  for (std::int64_t t = 0; t < steps; ++t) {
    if (emulator.in_final_rounds()) {
      emulator.run_final_round();
      continue;
    }
    emulator.run_step([&] {
      emulator.take_gradients();
      emulator.run_method();
    });
  }
}

}  // namespace sparsepush
