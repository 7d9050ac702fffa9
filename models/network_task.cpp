#include "models/network_task.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <type_traits>
#include <utility>

#include "data/files/input_error.h"
#include "data/sets/data_sources.h"
#include "data/spread.h"
#include "data/table.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/layers/conv2d/onednn_convolution.h"
#include "models/models.h"
#include "models/network_gradients.h"

namespace sparsepush {
namespace {

const DataSource& source_of(const DataConfig& data) { return row_named(data_sources(), "data.name", data.name); }

const PartitionRule& rule_of(const DataConfig& data) {
  return row_named(partition_rules(), "data.partition", data.partition);
}

/// Counts what oneDNN takes for the layers of images, as measured with version 2.6.
PlannedArray convolution_code(int workers) {
  constexpr std::int64_t kCodeAvx512 = 4'000'000, kCode = 7'500'000, kPlansEach = 750'000;
  const std::int64_t code = onednn_vector_level() == VectorLevel::kAvx512 ? kCodeAvx512 : kCode;
  return {"code and plans of convolutions", fmt::format("{} workers", workers), code + workers * kPlansEach};
}

/// Returns a network as it is computed on a GPU.
Network on_gpu(Network network, const TaskSettings& settings) {
  set_precision(network, settings.gpu_precision);
  set_convolution_code(network, settings.gpu_convolutions);
  return network;
}

/// Leaves `count` samples (0: all); an outline has no more of them than their number.
void thin_out(SampleSet& set, int count) {
  if (count == 0 || count == set.count) return;
  const std::vector<int> chosen = spread_over(set.count, count);
  const auto leave_chosen = [&](auto& all) {
    const auto width = std::ssize(all) / set.count;
    std::remove_reference_t<decltype(all)> some;
    for (const int sample : chosen)
      some.insert(some.end(), all.begin() + sample * width, all.begin() + (sample + 1) * width);
    all = std::move(some);
  };
  leave_chosen(set.bytes);
  leave_chosen(set.values);
  leave_chosen(set.label);
  set.count = count;
}

std::int64_t learners_of(const Partition& partition) {
  return std::ranges::count_if(partition, [](const auto& own) { return !own.empty(); });
}

}  // namespace

NetworkTask::NetworkTask(const TaskSettings& settings)
    : settings_(settings),
      data_(source_of(settings.data).outline(settings.data)),
      network_(make_network(settings.model, data_, settings.nodes)) {
  if (settings.test_samples > data_.test.count)
    throw InputError("evaluate.samples: expected at most the {} test samples of {}, got {}", data_.test.count,
                     settings.data.name, settings.test_samples);
  thin_out(data_.test, settings.test_samples);
  bool may_leave_out = false;
  for (int r = 0; r < settings.replicas; ++r) {
    const DataConfig& data = settings.replica(r).data;
    may_leave_out = may_leave_out || data.min_samples == 0 || !data.partition_file.empty();
  }
  if (may_leave_out) divide();  // nodes or samples, so that steps an epoch depend on it
}

std::string NetworkTask::set_shape(std::int64_t samples) const {
  return fmt::format("[{}, {}] {}", samples, data_.features, data_.has_floats ? "f32" : "u8");
}

std::int64_t NetworkTask::set_bytes(std::int64_t samples) const {
  return samples * (std::int64_t{data_.features} * (data_.has_floats ? 4 : 1) + 1);
}

void NetworkTask::load() {
  if (is_loaded_) return;
  const std::int64_t samples = data_.train.count + data_.test.count;
  check_memory_fits({{{"data set", set_shape(samples), set_bytes(samples)}}}, available_memory());
  data_ = source_of(settings_.data).load(settings_.data);
  thin_out(data_.test, settings_.test_samples);
  is_loaded_ = true;
}

void NetworkTask::divide() {
  if (!partitions_.empty()) return;
  const DataSource& source = source_of(settings_.data);
  if (source.train_labels)
    data_.train.label = source.train_labels(settings_.data);
  else
    load();
  const std::int64_t nodes = settings_.nodes, lists = nodes * settings_.replicas;
  check_memory_fits({{{"samples of nodes", fmt::format("[{}] lists", lists),
                       lists * static_cast<std::int64_t>(sizeof(Partition::value_type))}}},
                    available_memory());
  for (int r = 0; r < settings_.replicas; ++r) {
    const auto [seed, data] = settings_.replica(r);
    partitions_.push_back(
        divide_samples(data, data_, settings_.nodes, data.seed ? static_cast<std::uint64_t>(*data.seed) : seed));
  }
  check_learners();
}

void NetworkTask::check_learners() const {
  const std::int64_t steps = steps_per_epoch(partitions_.front());
  for (const Partition& partition : partitions_) {
    const std::int64_t learners = learners_of(partition);
    if (learners == 0) throw InputError("data.partition: no node has training samples");
    if (network_.statistics > 0 && learners < settings_.nodes)
      throw InputError("model.norm: {} is estimated by nodes from their samples, but {} of {} nodes have none",
                       settings_.model.norm, settings_.nodes - learners, settings_.nodes);
    if (steps_per_epoch(partition) != steps)
      throw InputError(
          "data.min_samples: replicas have different numbers of nodes without samples, and so {} and {} steps an epoch",
          steps, steps_per_epoch(partition));
  }
}

std::int64_t NetworkTask::steps_per_epoch(const Partition& partition) const {
  std::int64_t samples = 0;
  for (const auto& own : partition) samples += std::ssize(own);
  const std::int64_t samples_a_step = std::max<std::int64_t>(1, learners_of(partition)) * settings_.data.batch;
  return divide_up(samples, samples_a_step);
}

std::int64_t NetworkTask::steps_per_epoch() const {
  if (!partitions_.empty()) return steps_per_epoch(partitions_.front());
  const std::int64_t samples_a_step = static_cast<std::int64_t>(settings_.nodes) * settings_.data.batch;
  return divide_up(data_.train.count, samples_a_step);
}

std::vector<std::string> NetworkTask::warnings(ReplicaRange replicas) const {
  std::vector<std::string> warnings = data_.warnings;
  if (partitions_.empty()) return warnings;
  std::int64_t used = 0;
  for (const Partition& partition : std::span(partitions_).subspan(replicas.first, replicas.count))
    for (const auto& own : partition) used += std::ssize(own);
  const std::int64_t unused = data_.train.count - used / replicas.count;
  if (unused > 0)
    warnings.push_back(
        fmt::format("data.partition_file: {} of {} training samples are not used", unused, data_.train.count));
  return warnings;
}

std::vector<std::string_view> NetworkTask::keys(int replica) const {
  std::vector<std::string_view> keys = {"data.name"};
  for (const auto& more :
       {network_kind().keys, source_of(settings_.data).keys, rule_of(settings_.replica(replica).data).keys,
        row_named(models(), "model.name", settings_.model.name).keys})
    keys.insert(keys.end(), more.begin(), more.end());
  return keys;
}

std::vector<PlannedArray> NetworkTask::planned_arrays(const RunExtent& run) const {
  const std::int64_t samples = data_.train.count + data_.test.count, shards = run.shards;
  const std::int64_t assigned = static_cast<std::int64_t>(data_.train.count) * run.replicas;
  const auto rows = static_cast<int>(divide_up(std::int64_t{run.nodes} * run.replicas, shards));
  const std::int64_t wave =
      run.cuda ? NetworkGradients<Cuda>::wave_bytes(on_gpu(network_, settings_), settings_.data.batch, rows)
               : NetworkGradients<Cpu>::wave_bytes(network_, settings_.data.batch, rows);
  const std::int64_t workers = run.threads * shards;
  std::vector<PlannedArray> arrays = {
      {"data set, as read", set_shape(samples), set_bytes(samples), false},
      {"data set of the shards", fmt::format("{} x {}", shards, set_shape(samples)), shards * set_bytes(samples)},
      {"samples of nodes", fmt::format("2 x [{}] i32", assigned), 8 * assigned, false},
      {"samples of the shards", fmt::format("[{}] i32", assigned), 4 * assigned},
      {"activations", fmt::format("{} workers", workers), workers * wave}};
  if (has_image_layers(network_) && !run.cuda) arrays.push_back(convolution_code(static_cast<int>(workers)));
  return arrays;
}

void NetworkTask::prepare() {
  divide();
  load();
}

void NetworkTask::initialize(std::uint64_t seed, int /*node*/, float* row) const {
  initialize_network(network_, seed, row);
}

std::string NetworkTask::partition_table(ReplicaRange replicas) const {
  std::string table = "replica,node,samples";
  for (int c = 0; c < data_.classes; ++c) table += fmt::format(",class_{}", c);
  table += "\n";
  for (int r = 0; r < replicas.count; ++r) {
    const Partition& partition = partitions_.at(replicas.first + r);
    const auto counts = class_histogram(partition, data_.train.label, data_.classes);
    for (std::size_t node = 0; node < partition.size(); ++node) {
      const auto of_node = std::span(counts).subspan(node * data_.classes, data_.classes);
      table += fmt::format("{},{},{},{}\n", r, node, partition[node].size(), fmt::join(of_node, ","));
    }
  }
  return table;
}

template <class Backend>
std::unique_ptr<Gradients<Backend>> NetworkTask::gradients_on(const Backend& backend, const Shard& shard) const {
  LocalTask local{.network = std::is_same_v<Backend, Cuda> ? on_gpu(network_, settings_) : network_,
                  .data = data_,
                  .owned = {},
                  .seed = {},
                  .identity = {},
                  .batch = settings_.data.batch,
                  .augment = settings_.data.augment};
  for (int row = 0; row < shard.rows(); ++row) {
    const auto [replica, node] = shard.id_of(row);
    local.owned.push_back(partitions_[replica][node]);
    local.seed.push_back(settings_.replica(replica).seed);
    local.identity.push_back(node);
  }
  return std::make_unique<NetworkGradients<Backend>>(backend, std::move(local));
}

std::unique_ptr<Gradients<Cpu>> NetworkTask::make_gradients(const Cpu& cpu, const Shard& shard) const {
  return gradients_on(cpu, shard);
}
std::unique_ptr<Gradients<Cuda>> NetworkTask::make_gradients(const Cuda& gpu, const Shard& shard) const {
  return gradients_on(gpu, shard);
}

TaskKind network_kind() {
  return {.name = "network",
          .keys = {"data.seed", "data.partition", "data.min_samples", "data.batch", "model.name", "model.norm",
                   "evaluate.samples"},
          .make = [](const TaskSettings& settings) { return std::make_unique<NetworkTask>(settings); }};
}

}  // namespace sparsepush
