#include "host/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "data/input_error.h"
#include "models/quadratic_gradients.h"

namespace sparsepush {
namespace {

/// Final rounds of the run; "auto" must give the same number for every replica, because they share a launch.
std::int64_t final_rounds(const AlgorithmConfig& algorithm, const std::vector<Topology>& topologies) {
  if (algorithm.name != "scsp") return 0;
  if (algorithm.final == "all_reduce") return 1;
  if (algorithm.final_rounds) return *algorithm.final_rounds;
  constexpr double kRemaining = 1e-3;  // of the disagreement
  std::vector<std::int64_t> rounds;
  for (const Topology& topology : topologies) rounds.push_back(rounds_to_contract(topology, kRemaining));
  const auto [least, most] = std::ranges::minmax(rounds);
  if (least != most)
    throw InputError("algorithm.final_rounds: \"auto\" gives {} to {} rounds for the topologies of the {} replicas; set a number",
                     least, most, topologies.size());
  return most;
}

}  // namespace

std::vector<Topology> make_topologies(const Config& config) {
  std::vector<Topology> topologies;
  const int different = depends_on_seed(config.topology) ? config.run.replicas : 1;
  for (int r = 0; r < different; ++r)
    topologies.push_back(make_topology(config.topology, config.run.nodes, config.run.seed + r));
  return topologies;
}

StatePlan state_plan(const AlgorithmConfig& algorithm) {
  const bool sparse = algorithm.name != "none" && !is_dense(algorithm);
  return {.error_memory = sparse, .messages = sparse, .dense_halo = is_dense(algorithm) || algorithm.name == "scsp"};
}

Experiment::Experiment(const Config& config) : config_(config), topologies_(make_topologies(config)) {
  std::int64_t steps_per_epoch = 0;
  if (config.data.name == "quadratic") {
    problem_ = load_quadratic(config.data.file, config.run.nodes);
    layout_ = make_row_layout(problem_->segments);
  }
  schedule_.emplace(config, steps_per_epoch, final_rounds(config.algorithm, topologies_));
  for (const Topology& topology : topologies_)
    check_strongly_connected(topology, schedule_->rounds_in(schedule_->sgd_steps()) + schedule_->final_rounds());
}

std::vector<PlannedArray> Experiment::planned_data(int) const { return {}; }
void Experiment::partition_data() {}

std::string Experiment::partition_table() const { return ""; }

template <class Backend>
std::unique_ptr<Gradients<Backend>> make_gradients(const Backend& backend, const Experiment& experiment,
                                                   const Shard& shard) {
  std::vector<std::int32_t> identity;
  for (int row = 0; row < shard.rows(); ++row) identity.push_back(shard.id_of(row).node);
  return std::make_unique<QuadraticGradients<Backend>>(backend, *experiment.problem(), identity);
}

template std::unique_ptr<Gradients<Cpu>> make_gradients(const Cpu&, const Experiment&, const Shard&);

}  // namespace sparsepush
