#include "host/state/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "data/files/input_error.h"
#include "data/memory_plan.h"
#include "host/topologies/mixing.h"
#include "host/topologies/topologies.h"
#include "host/topologies/topology_needs.h"
#include "kernels/backend/check.h"
#include "models/task_kinds.h"

namespace sparsepush {
namespace {

/// Numbers the runs' replicas one after the other.
std::vector<Run> side_by_side(const std::vector<Config>& configs) {
  std::vector<Run> runs;
  int first = 0;
  for (const Config& config : configs) {
    runs.push_back({config, first});
    first += config.run.replicas;
  }
  return runs;
}

Config in_common(const std::vector<Run>& runs) {
  CHECK(!runs.empty(), "an experiment without runs");
  Config config = runs.front().config;
  config.run.replicas = runs.back().first + runs.back().config.run.replicas;
  return config;
}

std::vector<ReplicaSettings> replicas_of(const std::vector<Run>& runs) {
  std::vector<ReplicaSettings> replicas;
  for (const auto& [config, first] : runs)
    for (int r = 0; r < config.run.replicas; ++r)
      replicas.push_back({config.run.seed + r, config.data, config.algorithm, config.optimizer});
  return replicas;
}

std::unique_ptr<Task> make_task(const Config& config, const std::vector<ReplicaSettings>& replicas) {
  std::vector<ReplicaData> data;
  for (const ReplicaSettings& replica : replicas) data.push_back({replica.seed, replica.data});
  return kind_of_task(config.data.name)
      .make({.data = config.data,
             .model = config.model,
             .nodes = config.run.nodes,
             .replicas = config.run.replicas,
             .test_samples = config.evaluate.samples,
             .seed = config.run.seed,
             .of_replicas = std::move(data),
             .gpu_precision = config.run.precision == "fp32" ? Precision::kFp32 : Precision::kTf32,
             .gpu_convolutions = config.run.convolution == "cudnn" ? ConvolutionCode::kCudnn : ConvolutionCode::kOwn});
}

std::vector<std::uint64_t> seeds_of(const std::vector<ReplicaSettings>& replicas) {
  std::vector<std::uint64_t> seeds;
  for (const ReplicaSettings& replica : replicas) seeds.push_back(replica.seed);
  return seeds;
}

/// Returns the final rounds of the run; "auto" must give the same number for every replica, because they share a
/// launch.
std::int64_t final_rounds(const AlgorithmConfig& algorithm, const Method& method,
                          const std::vector<Topology>& topologies) {
  if (!method.final_message) return 0;
  if (merges_by_all_reduce(algorithm)) return 1;
  if (algorithm.final_rounds) return *algorithm.final_rounds;
  constexpr double kRemaining = 1e-3;  // share of the disagreement
  std::vector<std::int64_t> rounds;
  for (const Topology& topology : topologies) rounds.push_back(rounds_to_contract(topology, kRemaining));
  const auto [least, most] = std::ranges::minmax(rounds);
  if (least != most)
    throw InputError(
        "algorithm.final_rounds: \"auto\" gives {} to {} rounds for the topologies of the {} replicas; set a number",
        least, most, topologies.size());
  return most;
}

/// Replaces the topology by the default for methods that need none: there it does not count.
Config with_topology_that_counts(Config config, const Method& method) {
  if (!method.needs.topology) config.topology = {};
  return config;
}

/// Refuses a round in which a weight would vanish at the averaging rate `eta`. Throws InputError.
void check_weights(const Topology& topology, double eta) {
  if (topology.period() == 0) mixing_weights(topology.round(0), eta, 0);  // other rounds have degrees like these
  std::int64_t t = 0;
  for (const TopologyRound& round : topology.stored_rounds()) mixing_weights(round, eta, t++);
}

void check_lengths(const std::vector<Run>& runs, const Schedule& schedule, std::int64_t steps_per_epoch) {
  for (const Run& run : runs)
    if (sgd_steps(run.config.run, steps_per_epoch) != schedule.sgd_steps() ||
        run.config.algorithm.final_rounds != runs.front().config.algorithm.final_rounds)
      throw InputError("run.steps: runs of different lengths cannot go side by side");
}

}  // namespace

std::vector<Topology> make_topologies(const Config& config) {
  return make_topologies(config, seeds_of(replicas_of(side_by_side({config}))));
}

std::vector<Topology> make_topologies(const Config& config, std::span<const std::uint64_t> seeds) {
  std::vector<Topology> topologies;
  const std::size_t different = depends_on_seed(config.topology) ? seeds.size() : 1;
  const TopologyKind& kind = topology_kind(config.topology);
  if (different > 1 && !is_redrawn(config.topology) && kind.count_edges) {
    const std::int64_t edges = kind.count_edges(config.topology, config.run.nodes);
    const PlannedArray all{"topologies", fmt::format("[{}, {}] edges", different, edges),
                           static_cast<std::int64_t>(different * edges * sizeof(Edge))};
    check_memory_fits({{all}}, available_memory());  // before the plan of the whole run, which counts what is made
  }
  for (const std::uint64_t seed : seeds.first(different))
    topologies.push_back(make_topology(config.topology, config.run.nodes, seed));
  return topologies;
}

Experiment::Experiment(const Config& config, Recipe recipe, std::unique_ptr<Task> task)
    : Experiment(side_by_side({config}), std::move(recipe), std::move(task)) {}

Experiment::Experiment(const std::vector<Config>& runs)
    : Experiment(side_by_side(runs), recipe_of(runs.at(0)), nullptr) {}

Experiment::Experiment(std::vector<Run> runs, Recipe recipe, std::unique_ptr<Task> task)
    : runs_(std::move(runs)),
      config_(in_common(runs_)),
      recipe_(std::move(recipe)),
      replicas_(replicas_of(runs_)),
      topologies_(make_topologies(with_topology_that_counts(config_, recipe_.method), seeds_of(replicas_))),
      task_(task ? std::move(task) : make_task(config_, replicas_)),
      layout_(row_layout_of(task_->parameters())),
      schedule_(config_, task_->steps_per_epoch(), final_rounds(config_.algorithm, recipe_.method, topologies_)) {
  check_lengths(runs_, schedule_, task_->steps_per_epoch());
  if (recipe_.compressor && recipe_.compressor->check)
    for (const Run& run : runs_) recipe_.compressor->check(run.config.algorithm, layout_);
  for (const StateArray* array : recipe_.method.state)
    CHECK(array->per != Per::kSlot || !array->saved || recipe_.method.needs.is_static, recipe_.method.name, " keeps ",
          array->name, " of neighbours, and so needs a static topology");
  check_optimizer(recipe_);
  if (recipe_.method.block_weights && (config_.algorithm.blocks < 1 || config_.algorithm.blocks > layout_.params))
    throw InputError("algorithm.blocks: expected 1 to {}, the parameters of a node, got {}", layout_.params,
                     config_.algorithm.blocks);
  if (recipe_.method.message && recipe_.method.needs.topology) check_topologies();
}

std::span<const ReplicaSettings> Experiment::replicas_on(std::size_t topology) const {
  return topologies_.size() == 1 ? std::span(replicas_) : std::span(replicas_).subspan(topology, 1);
}

void Experiment::check_topologies() const {
  for (std::size_t i = 0; i < topologies_.size(); ++i) {
    const Topology& topology = topologies_[i];
    std::set<double> rates, later;
    for (const auto& [seed, data, algorithm, optimizer] : replicas_on(i)) {
      rates.insert(algorithm.averaging_rate);
      for (const double factor : algorithm.averaging_decay) later.insert(algorithm.averaging_rate * factor);
    }
    for (const double rate : rates) check_needs(recipe_.method, topology, rate);
    check_strongly_connected(topology, schedule_.rounds_in(schedule_.sgd_steps()) + schedule_.final_rounds());
    if (recipe_.method.block_weights)
      check_blocks_connected(topology, config_.algorithm.blocks, schedule_.rounds_in(schedule_.sgd_steps()));
    for (const double rate : later) check_weights(topology, rate);
  }
}

void Experiment::check() {
  task_->check();
  if (!recipe_.method.message) return;
  const std::optional<double> fixed = fixed_averaging_rate(recipe_.method);
  for (std::size_t i = 0; i < topologies_.size(); ++i) {
    const Topology& topology = topologies_[i];
    std::set<double> rates;
    for (const ReplicaSettings& replica : replicas_on(i))
      rates.insert(fixed.value_or(replica.algorithm.averaging_rate));
    if (schedule_.final_rounds() > 0) rates.insert(1.0);
    for (std::int64_t t = 0; t < std::max<std::int64_t>(1, topology.period()); ++t)
      for (const double rate : rates) mixing_weights(topology.round(t), rate, t);
  }
}

StateList own_state(const Experiment& experiment) {
  StateList own = experiment.task().state();
  if (experiment.task().wants_z() && mixes_push_weights(experiment.recipe().method)) own.push_back(&state::z);
  return own;
}

bool Experiment::nodes_are_equal_at(std::int64_t step) const {
  return step == 0 && task_->nodes_start_equal() && config_.run.start.empty();
}

std::string Experiment::hash(int run) const {
  const auto& [config, first] = runs_.at(run);
  return config_hash(config, *task_, first);
}

}  // namespace sparsepush
