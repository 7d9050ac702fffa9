// One point of the gossip benchmark's sweep, and what can be said of it without running it.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>

#include "data/memory_plan.h"
#include "host/config/config.h"
#include "kernels/messages/topk/selection_memory.h"
#include "tests/kernels/model_layouts.h"

namespace sparsepush {

struct GossipCase {
  std::string layout;
  int nodes = 0;
  double keep = 0;  ///< 0: whole rows (SGP), else Sparse-Push
  std::string topology;
  int degree = 0;
  int gradients = 0;  ///< independent gradient arrays that rounds take in turn

  bool dense() const { return keep == 0; }
  RowLayout row_layout() const { return make_row_layout(sizes_of_layout(layout)); }
  TopkPlan plan() const { return make_topk_plan(row_layout(), TopkScope::kLayer, keep); }
  double params() const { return static_cast<double>(nodes) * static_cast<double>(row_layout().params); }
  std::int64_t array_bytes() const { return nodes * row_layout().row * static_cast<std::int64_t>(sizeof(float)); }
};

/// Configures an experiment alike. A random_out round of degree 1 is a cycle, as the ring is.
inline Config config_of(const GossipCase& c) {
  Config config;
  config.run.nodes = c.nodes;
  config.topology.name = c.topology == "random_out" && c.degree == 1 ? "directed_ring" : c.topology;
  config.topology.degree = c.degree;
  config.algorithm.name = c.dense() ? "sgp" : "sparse_push";
  config.algorithm.keep = c.dense() ? 1 : c.keep;
  config.algorithm.averaging_rate = c.dense() ? 1 : std::exp2(std::floor(std::log2(c.keep)));
  return config;
}

/// Bytes that a round has to move however it is written: each array once in and once out, messages once out and once in
/// for every reader, and of the x that they change whole sectors of 32 bytes, in and out, as if positions were spread
/// evenly. `edges` is that of the round.
inline double floor_bytes(const GossipCase& c, std::int64_t edges) {
  if (c.dense()) return 20 * c.params();  // read x, momentum, gradient; write x, momentum
  constexpr double kPass = 28;            // read x, momentum, gradient, error; write x, momentum, error
  constexpr double kEntry = 8, kSectorFloats = 8, kSectorBytes = 32;
  const double d = static_cast<double>(c.row_layout().params), nodes = c.nodes;
  const double entries = static_cast<double>(c.plan().entries);
  const double readers = static_cast<double>(edges) / nodes + 1;  // in-neighbours and the node itself
  const double touched = 1 - std::pow(1 - std::min(1.0, readers * entries / d), kSectorFloats);
  return nodes * (kPass * d + kEntry * entries * (1 + readers) + touched * d / kSectorFloats * 2 * kSectorBytes);
}

/// The state of the case's nodes, with everything that a round needs on `Backend`.
template <class Backend>
MemoryPlan memory_of(const GossipCase& c, int threads) {
  MemoryPlan plan;
  const RowLayout layout = c.row_layout();
  const auto add = [&](const std::string& name, const std::string& type, std::int64_t columns, std::int64_t bytes) {
    plan.arrays.push_back({name, fmt::format("[{}, {}] {}", c.nodes, columns, type), c.nodes * columns * bytes});
  };
  add("x", "f32", layout.row, 4);
  add("momentum", "f32", layout.row, 4);
  if (!c.dense()) add("error", "f32", layout.row, 4);
  for (int g = 0; g < c.gradients; ++g) add(fmt::format("gradient {}", g + 1), "f32", layout.row, 4);
  if (!c.dense()) {
    const TopkPlan topk = c.plan();
    add("messages", "i32 + f32", topk.entries, 8);
    plan.arrays.push_back({"selection memory", "", SelectionMemory<Backend>::bytes(c.nodes, layout, topk, threads)});
  }
  add("u, before and after a round", "f64", 2, 8);
  return plan;
}

}  // namespace sparsepush
