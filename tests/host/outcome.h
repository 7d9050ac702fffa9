// What a run comes to, whatever backend and shards it was done on.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/backends.h"
#include "tests/host/emulation.h"

namespace sparsepush {

/// Of one replica, rows in the order of nodes.
struct Outcome {
  std::map<std::string, std::vector<std::vector<float>>> arrays;  ///< the saved ones of floats; of replicas one row
  std::vector<double> u;
  std::vector<std::vector<std::int64_t>> sent;  ///< [nodes][kSentCounts]
  std::int64_t syncs = 0;                       ///< of methods that count them
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// Outcomes of all replicas of an experiment. Every shard makes its emulator with make(backend, transport), a pointer,
/// and drives it with train(emulator).
template <class Backend, class Make, class Train>
std::vector<Outcome> outcomes_of(const Experiment& experiment, const Make& make, const Train& train) {
  const RunConfig& run = experiment.config().run;
  std::vector<Outcome> all(run.replicas);
  for (Outcome& outcome : all) {
    outcome.u.resize(run.nodes);
    outcome.sent.assign(run.nodes, std::vector<std::int64_t>(kSentCounts));
  }
  std::mutex mutex;
  run_shards<Backend>(run.shards, run.replicas, run.nodes, [&](Transport<Backend>& transport) {
    const Backend backend = tested_backend<Backend>();
    const auto emulator = make(backend, transport);
    train(*emulator);
    const Nodes<Backend>& nodes = emulator->nodes();
    const std::vector<double> u = nodes.to_host(state::u);
    const std::vector<std::int64_t> sent = nodes.sent.to_host();
    const std::lock_guard lock(mutex);
    for (int row = 0; row < nodes.shard.rows(); ++row) {
      const auto [replica, node] = nodes.shard.id_of(row);
      all[replica].u[node] = u[row];
      for (int c = 0; c < kSentCounts; ++c) all[replica].sent[node][c] = sent[c * nodes.shard.rows() + row];
    }
    if (nodes.state.has(state::syncs))
      for (int r = 0; r < run.replicas; ++r) all[r].syncs = nodes.to_host(state::syncs)[r];
    for (const StateArray* array : nodes.arrays) {
      if (!array->saved || array->dtype != Dtype::kF32) continue;
      const std::vector<float> values = nodes.to_host(Array<float>(*array));
      const std::int64_t columns = array->columns_in(nodes.extent);
      if (array->per == Per::kReplica) {
        for (int r = 0; r < run.replicas; ++r)
          all[r].arrays[std::string(array->name)] = {
              {values.begin() + r * columns, values.begin() + (r + 1) * columns}};
        continue;
      }
      for (int row = 0; row < nodes.shard.rows(); ++row) {
        const auto [replica, node] = nodes.shard.id_of(row);
        auto& rows = all[replica].arrays[std::string(array->name)];
        rows.resize(run.nodes);
        rows[node].assign(values.begin() + row * columns, values.begin() + (row + 1) * columns);
      }
    }
  });
  return all;
}

/// The same after `steps` steps and final rounds.
template <class Backend>
std::vector<Outcome> outcomes_of(const Experiment& experiment, std::int64_t steps) {
  const auto make = [&](const Backend& backend, Transport<Backend>& transport) {
    return std::make_unique<Emulator<Backend>>(backend, experiment, transport);
  };
  return outcomes_of<Backend>(experiment, make, [&](Emulator<Backend>& emulator) { advance(emulator, steps); });
}

}  // namespace sparsepush
