#include "host/experiment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "data/cifar.h"
#include "data/digits.h"
#include "data/idx.h"
#include "data/input_error.h"
#include "data/synthetic.h"
#include "models/lenet5.h"
#include "models/mlp.h"
#include "models/network_gradients.h"
#include "models/quadratic_gradients.h"
#include "models/resnet20.h"
#include "models/softmax.h"
#include "models/vgg11.h"

namespace sparsepush {
namespace {

/// Before an array is made that the plan of the whole run can count only afterwards.
void check_array_fits(const std::string& name, const std::string& shape, std::int64_t bytes) {
  check_memory_fits({{{name, shape, bytes}}}, available_memory());
}

void check_dataset_fits(std::int64_t samples, std::int64_t features) {
  check_array_fits("data set", fmt::format("[{}, {}] u8", samples, features), samples * (features + 1));
}

Dataset load_dataset(const DataConfig& data) {
  if (const auto cifar = cifar_format(data.name)) {
    check_dataset_fits(cifar->samples(), kCifarImage.size());
    return load_cifar(*cifar, data.path);
  }
  if (const auto idx = idx_format(data.name)) {
    check_dataset_fits(idx->samples(), idx->image.size());
    return load_idx(*idx, data.path);
  }
  if (data.name == "synthetic") {
    check_dataset_fits(data.samples, data.features);
    return make_synthetic(
        {.samples = data.samples, .features = data.features, .classes = data.classes, .separation = data.separation});
  }
  return load_digits();
}

/// Refuses networks whose rows no array could hold, before anything is laid out.
void check_network_size(const Config& config, const Dataset& data) {
  double params = 0, in = data.features;
  for (const std::int64_t width : config.model.hidden) {
    params += (in + 1) * static_cast<double>(width);
    in = static_cast<double>(width);
  }
  params += (in + 1) * data.classes;
  constexpr double kMost = std::numeric_limits<std::int32_t>::max() - 4096.0;
  if (params > kMost)
    throw InputError(
        "model.hidden: a node has {:.4g} parameters, x of {} nodes alone needs {}; at most {:.0f} fit a row", params,
        config.run.nodes, format_bytes(params * sizeof(float) * config.run.nodes), kMost);
}

Norm norm_named(const std::string& name) {
  if (name == "batch") return Norm::kBatch;
  if (name == "group") return Norm::kGroup;
  return name == "evonorm" ? Norm::kEvoNorm : Norm::kNone;
}

/// Refuses images that a model has no layers for.
void check_image_sides(const Config& config, const ImageShape& image, std::span<const int> sides) {
  for (const int side : sides)
    if (image.height == side && image.width == side) return;
  throw InputError("model.name: \"{}\" is for images of {} pixels a side; \"{}\" has {} x {}", config.model.name,
                   fmt::join(sides, " or "), config.data.name, image.height, image.width);
}

Network make_network_of(const Config& config, const Dataset& data) {
  const std::string& name = config.model.name;
  const Norm norm = norm_named(config.model.norm);
  if (name == "softmax") return make_softmax(data.features, data.classes);
  if (name == "resnet20") {
    check_image_sides(config, data.image, std::array{8, 28, 32});
    return make_resnet20(data.image, data.classes, norm);
  }
  if (name == "lenet5") {
    check_image_sides(config, data.image, std::array{28, 32});
    return make_lenet5(data.image, data.classes, norm);
  }
  if (name == "vgg11") {
    check_image_sides(config, data.image, std::array{32});
    return make_vgg11(data.image, data.classes, norm);
  }
  check_network_size(config, data);
  return make_mlp(data.features, config.model.hidden, data.classes);
}

Partition divide(const DataConfig& config, const Dataset& data, int nodes, std::uint64_t seed) {
  if (config.partition == "skew") return partition_skew(data.train.label, data.classes, nodes, config.skew, seed);
  if (config.partition == "dirichlet")
    return partition_dirichlet(data.train.label, data.classes, nodes, config.alpha, seed);
  return partition_iid(data.train.count, nodes, seed);
}

/// Final rounds of the run; "auto" must give the same number for every replica, because they share a launch.
std::int64_t final_rounds(const AlgorithmConfig& algorithm, const Method& method,
                          const std::vector<Topology>& topologies) {
  if (!method.final_message) return 0;
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

Experiment::Experiment(const Config& config, Rows rows)
    : config_(config), rows_(std::move(rows)), topologies_(make_topologies(config)) {
  if (config.data.name == "quadratic") {
    layout_ = make_row_layout(read_quadratic_shape(config.data.file, config.run.nodes).segments);
  } else {
    dataset_ = load_dataset(config.data);
    network_ = make_network_of(config, *dataset_);
    layout_ = network_->layout;
  }
  schedule_.emplace(config, dataset_ ? steps_per_epoch(config, *dataset_) : 0,
                    final_rounds(config.algorithm, rows_.method, topologies_));
  if (!rows_.method.message) return;
  for (const Topology& topology : topologies_)
    check_strongly_connected(topology, schedule_->rounds_in(schedule_->sgd_steps()) + schedule_->final_rounds());
}

void Experiment::prepare_data() {
  if (!dataset_) {
    problem_ = load_quadratic(config_.data.file, config_.run.nodes);
    return;
  }
  for (int r = 0; r < config_.run.replicas; ++r) {
    partitions_.push_back(divide(config_.data, *dataset_, config_.run.nodes, config_.run.seed + r));
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
