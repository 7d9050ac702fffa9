#include "host/state/experiment.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/files/input_error.h"
#include "data/memory_plan.h"
#include "host/topologies/mixing.h"
#include "host/topologies/topologies.h"
#include "host/topologies/topology_needs.h"
#include "kernels/backend/check.h"
#include "models/task_kinds.h"

namespace sparsepush {
namespace {

std::unique_ptr<Task> make_task(const Config& config) {
  return kind_of_task(config.data.name)
      .make({.data = config.data,
             .model = config.model,
             .nodes = config.run.nodes,
             .replicas = config.run.replicas,
             .test_samples = config.evaluate.samples,
             .seed = config.run.seed,
             .gpu_precision = config.run.precision == "fp32" ? Precision::kFp32 : Precision::kTf32});
}

/// Final rounds of the run; "auto" must give the same number for every replica, because they share a launch.
std::int64_t final_rounds(const AlgorithmConfig& algorithm, const Method& method,
                          const std::vector<Topology>& topologies) {
  if (!method.final_message) return 0;
  if (merges_by_all_reduce(algorithm)) return 1;
  if (algorithm.final_rounds) return *algorithm.final_rounds;
  constexpr double kRemaining = 1e-3;  // of the disagreement
  std::vector<std::int64_t> rounds;
  for (const Topology& topology : topologies) rounds.push_back(rounds_to_contract(topology, kRemaining));
  const auto [least, most] = std::ranges::minmax(rounds);
  if (least != most)
    throw InputError(
        "algorithm.final_rounds: \"auto\" gives {} to {} rounds for the topologies of the {} replicas; set a number",
        least, most, topologies.size());
  return most;
}

/// The topology counts for no method that needs none: any will do.
Config with_topology_that_counts(Config config, const Method& method) {
  if (!method.needs.topology) config.topology = {};
  return config;
}

/// Refuses a round in which a weight would vanish at the averaging rate `eta`. Throws InputError.
void check_weights(const Topology& topology, double eta) {
  if (topology.period() == 0) mixing_weights(topology.round(0), eta, 0);  // others have degrees alike
  std::int64_t t = 0;
  for (const TopologyRound& round : topology.stored_rounds()) mixing_weights(round, eta, t++);
}

}  // namespace

std::vector<Topology> make_topologies(const Config& config) {
  std::vector<Topology> topologies;
  const int different = depends_on_seed(config.topology) ? config.run.replicas : 1;
  const TopologyKind& kind = topology_kind(config.topology);
  if (different > 1 && !is_redrawn(config.topology) && kind.count_edges) {
    const std::int64_t edges = kind.count_edges(config.topology, config.run.nodes);
    const PlannedArray all{"topologies", fmt::format("[{}, {}] edges", different, edges),
                           static_cast<std::int64_t>(different * edges * sizeof(Edge))};
    check_memory_fits({{all}}, available_memory());  // before the plan of the whole run, which counts what is made
  }
  for (int r = 0; r < different; ++r)
    topologies.push_back(make_topology(config.topology, config.run.nodes, config.run.seed + r));
  return topologies;
}

Experiment::Experiment(const Config& config, Rows rows, std::unique_ptr<Task> task)
    : config_(config),
      rows_(std::move(rows)),
      replicas_(config.run.replicas, {config.algorithm, config.optimizer}),
      topologies_(make_topologies(with_topology_that_counts(config, rows_.method))),
      task_(task ? std::move(task) : make_task(config)),
      layout_(row_layout_of(task_->parameters())),
      schedule_(config, task_->steps_per_epoch(), final_rounds(config.algorithm, rows_.method, topologies_)) {
  if (rows_.compressor && rows_.compressor->check) rows_.compressor->check(config.algorithm, layout_);
  for (const StateArray* array : rows_.method.state)
    CHECK(array->per != Per::kSlot || !array->saved || rows_.method.needs.is_static, rows_.method.name, " keeps ",
          array->name, " of neighbours, and so needs a static topology");
  check_optimizer(rows_);
  if (rows_.method.block_weights && (config.algorithm.blocks < 1 || config.algorithm.blocks > layout_.params))
    throw InputError("algorithm.blocks: expected 1 to {}, the parameters of a node, got {}", layout_.params,
                     config.algorithm.blocks);
  if (!rows_.method.message || !rows_.method.needs.topology) return;
  for (const Topology& topology : topologies_) {
    check_needs(rows_.method, topology, config.algorithm.averaging_rate);
    check_strongly_connected(topology, schedule_.rounds_in(schedule_.sgd_steps()) + schedule_.final_rounds());
    if (rows_.method.block_weights)
      check_blocks_connected(topology, config.algorithm.blocks, schedule_.rounds_in(schedule_.sgd_steps()));
    for (const double factor : config.algorithm.averaging_decay)
      check_weights(topology, config.algorithm.averaging_rate * factor);
  }
}

void Experiment::check() {
  task_->check();
  if (!rows_.method.message) return;
  std::vector<double> rates;
  for (const ReplicaSettings& replica : replicas_)
    rates.push_back(fixed_averaging_rate(rows_.method).value_or(replica.algorithm.averaging_rate));
  if (schedule_.final_rounds() > 0) rates.push_back(1.0);
  std::ranges::sort(rates);
  const auto repeated = std::ranges::unique(rates);
  rates.erase(repeated.begin(), repeated.end());
  for (const Topology& topology : topologies_)
    for (std::int64_t t = 0; t < std::max<std::int64_t>(1, topology.period()); ++t)
      for (const double rate : rates) mixing_weights(topology.round(t), rate, t);
}

StateList own_state(const Experiment& experiment) {
  StateList own = experiment.task().state();
  if (experiment.task().wants_z() && mixes_push_weights(experiment.rows().method)) own.push_back(&state::z);
  return own;
}

void Experiment::set_replicas(std::vector<ReplicaSettings> replicas) {
  CHECK(static_cast<int>(replicas.size()) == config_.run.replicas, "settings of ", replicas.size(), " replicas of ",
        config_.run.replicas);
  replicas_ = std::move(replicas);
}

bool Experiment::nodes_are_equal_at(std::int64_t step) const {
  return step == 0 && task_->nodes_start_equal() && config_.run.start.empty();
}

std::string Experiment::hash() const {
  std::vector<std::string> hashes;
  for (const ReplicaSettings& replica : replicas_) {
    Config config = config_;
    config.algorithm = replica.algorithm;
    config.optimizer = replica.optimizer;
    hashes.push_back(config_hash(config, *task_));
  }
  if (std::ranges::count(hashes, hashes.front()) == std::ssize(hashes)) return hashes.front();
  return fmt::format("{}", fmt::join(hashes, "-"));
}

}  // namespace sparsepush
