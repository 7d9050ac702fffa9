#include "host/experiment.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/data_sources.h"
#include "data/input_error.h"
#include "data/table.h"
#include "models/models.h"
#include "models/network_gradients.h"
#include "models/quadratic_gradients.h"

namespace sparsepush {
namespace {

/// Before an array is made that the plan of the whole run can count only afterwards.
void check_array_fits(const std::string& name, const std::string& shape, std::int64_t bytes) {
  check_memory_fits({{{name, shape, bytes}}}, available_memory());
}

Dataset load_dataset(const DataSource& source, const DataConfig& data) {
  const auto [samples, features] = source.size(data);
  check_array_fits("data set", fmt::format("[{}, {}] u8", samples, features), samples * (features + 1));
  return source.load(data);
}

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
    throw InputError(
        "algorithm.final_rounds: \"auto\" gives {} to {} rounds for the topologies of the {} replicas; set a number",
        least, most, topologies.size());
  return most;
}

std::int64_t steps_per_epoch(const Config& config, const Dataset& data) {
  const std::int64_t samples_a_step = static_cast<std::int64_t>(config.run.nodes) * config.data.batch;
  return (data.train.count + samples_a_step - 1) / samples_a_step;
}

}  // namespace

std::vector<Topology> make_topologies(const Config& config) {
  std::vector<Topology> topologies;
  const int different = depends_on_seed(config.topology) ? config.run.replicas : 1;
  if (different > 1 && !config.topology.redraw) {
    const std::int64_t edges = std::int64_t{config.run.nodes} * config.topology.degree;
    check_array_fits("topologies", fmt::format("[{}, {}] edges", different, edges), different * edges * sizeof(Edge));
  }
  for (int r = 0; r < different; ++r)
    topologies.push_back(make_topology(config.topology, config.run.nodes, config.run.seed + r));
  return topologies;
}

StatePlan state_plan(const AlgorithmConfig& algorithm) {
  const bool sparse = algorithm.name != "none" && !is_dense(algorithm);
  return {.error_memory = sparse, .messages = sparse, .dense_halo = is_dense(algorithm) || algorithm.name == "scsp"};
}

Experiment::Experiment(const Config& config) : config_(config), topologies_(make_topologies(config)) {
  const DataSource& source = row_named(data_sources(), "data.name", config.data.name);
  if (source.task == "quadratic") {
    layout_ = make_row_layout(read_quadratic_shape(config.data.file, config.run.nodes).segments);
  } else {
    dataset_ = load_dataset(source, config.data);
    network_ = make_network(config.model, *dataset_, config.run.nodes);
    layout_ = network_->layout;
  }
  schedule_.emplace(config, dataset_ ? steps_per_epoch(config, *dataset_) : 0,
                    final_rounds(config.algorithm, topologies_));
  if (config.algorithm.name == "none") return;
  for (const Topology& topology : topologies_)
    check_strongly_connected(topology, schedule_->rounds_in(schedule_->sgd_steps()) + schedule_->final_rounds());
}

void Experiment::prepare_data() {
  if (!dataset_) {
    problem_ = load_quadratic(config_.data.file, config_.run.nodes);
    return;
  }
  const PartitionRule& rule = row_named(partition_rules(), "data.partition", config_.data.partition);
  for (int r = 0; r < config_.run.replicas; ++r) {
    partitions_.push_back(rule.divide(config_.data, *dataset_, config_.run.nodes, config_.run.seed + r));
    check_every_node_has_samples(partitions_.back());
  }
}

template <class Backend>
std::vector<PlannedArray> Experiment::planned_data(int threads) const {
  const std::int64_t shards = config_.run.shards;
  if (!dataset_) {
    const std::int64_t rows = static_cast<std::int64_t>(config_.run.nodes) * 2;
    return {{"problem, as read", fmt::format("[{}, {}] f32", rows, layout_.params), rows * layout_.params * 4, false},
            {"problem of the shards", fmt::format("[{}, {}] f32", rows, layout_.row), rows * layout_.row * 4}};
  }
  const std::int64_t samples = dataset_->train.count + dataset_->test.count;
  const std::int64_t assigned = static_cast<std::int64_t>(dataset_->train.count) * config_.run.replicas;
  const std::int64_t set_bytes = samples * (dataset_->features + 1);
  const auto rows = static_cast<int>((std::int64_t{config_.run.nodes} * config_.run.replicas + shards - 1) / shards);
  return {{"data set, as read", fmt::format("[{}, {}] u8", samples, dataset_->features), set_bytes, false},
          {"data set of the shards", fmt::format("{} x [{}, {}] u8", shards, samples, dataset_->features),
           shards * set_bytes},
          {"samples of nodes", fmt::format("2 x [{}] i32", assigned), 8 * assigned, false},
          {"samples of the shards", fmt::format("[{}] i32", assigned), 4 * assigned},
          {"activations", fmt::format("{} workers", threads * shards),
           threads * shards * NetworkGradients<Backend>::wave_bytes(*network_, config_.data.batch, rows)}};
}

template std::vector<PlannedArray> Experiment::planned_data<Cpu>(int) const;
template std::vector<PlannedArray> Experiment::planned_data<Cuda>(int) const;

std::string Experiment::partition_table() const {
  if (!dataset_) return "";
  std::string table = "replica,node,samples";
  for (int c = 0; c < dataset_->classes; ++c) table += fmt::format(",class_{}", c);
  table += "\n";
  for (std::size_t r = 0; r < partitions_.size(); ++r) {
    const auto counts = class_histogram(partitions_[r], dataset_->train.label, dataset_->classes);
    for (std::size_t node = 0; node < partitions_[r].size(); ++node) {
      const auto of_node = std::span(counts).subspan(node * dataset_->classes, dataset_->classes);
      table += fmt::format("{},{},{},{}\n", r, node, partitions_[r][node].size(), fmt::join(of_node, ","));
    }
  }
  return table;
}

template <class Backend>
std::unique_ptr<Gradients<Backend>> make_gradients(const Backend& backend, const Experiment& experiment,
                                                   const Shard& shard) {
  std::vector<std::int32_t> identity;
  for (int row = 0; row < shard.rows(); ++row) identity.push_back(shard.id_of(row).node);
  if (experiment.problem())
    return std::make_unique<QuadraticGradients<Backend>>(backend, *experiment.problem(), identity);

  Partition owned;
  std::vector<std::uint64_t> seed;
  for (int row = 0; row < shard.rows(); ++row) {
    const NodeId id = shard.id_of(row);
    owned.push_back(experiment.partitions()[id.replica][id.node]);
    seed.push_back(experiment.config().run.seed + id.replica);
  }
  return std::make_unique<NetworkGradients<Backend>>(backend,
                                                     LearningTask{.network = *experiment.network(),
                                                                  .data = *experiment.dataset(),
                                                                  .owned = std::move(owned),
                                                                  .seed = std::move(seed),
                                                                  .identity = std::move(identity),
                                                                  .batch = experiment.config().data.batch,
                                                                  .augment = experiment.config().data.augment});
}

template std::unique_ptr<Gradients<Cpu>> make_gradients(const Cpu&, const Experiment&, const Shard&);
template std::unique_ptr<Gradients<Cuda>> make_gradients(const Cuda&, const Experiment&, const Shard&);

}  // namespace sparsepush
