#include "host/checkpoint.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "data/input_error.h"
#include "data/safetensors_header.h"
#include "host/row_blocks.h"

namespace sparsepush {
namespace {

constexpr int kTrafficCounts = 4;  // messages, bytes_authors, bytes_coo32, bytes_dense

std::vector<TensorInfo> checkpoint_tensors(const Experiment& experiment) {
  const RunConfig& run = experiment.config().run;
  const std::int64_t rows = static_cast<std::int64_t>(run.replicas) * run.nodes, d = experiment.layout().params;
  std::vector<TensorInfo> tensors = {{"x", "F32", {rows, d}}, {"momentum", "F32", {rows, d}}};
  if (state_plan(experiment.config().algorithm).error_memory) tensors.push_back({"error", "F32", {rows, d}});
  if (const std::int64_t statistics = elements_of(experiment.task().statistics()); statistics > 0)
    tensors.push_back({"statistics", "F32", {rows, statistics}});
  tensors.insert(tensors.end(), {{"u", "F64", {rows}},
                                 {"step", "I64", {1}},
                                 {"train_loss_sum", "F64", {rows}},
                                 {"train_loss_steps", "I64", {1}},
                                 {"bytes_wire", "I64", {rows}},
                                 {"traffic", "I64", {kTrafficCounts, run.replicas}}});
  return tensors;
}

std::string parameter_table(const std::vector<Parameter>& parameters, const RowLayout& layout) {
  auto table = nlohmann::json::array();
  for (std::size_t s = 0; s < parameters.size(); ++s)
    table.push_back(
        {{"name", parameters[s].name}, {"shape", parameters[s].shape}, {"offset", layout.segments[s].packed_begin}});
  return table.dump();
}

/// The same for the running statistics, which have no padding.
std::string statistics_table(const std::vector<Parameter>& tensors) {
  auto table = nlohmann::json::array();
  std::int64_t offset = 0;
  for (const Parameter& tensor : tensors) {
    table.push_back({{"name", tensor.name}, {"shape", tensor.shape}, {"offset", offset}});
    offset += tensor.elements();
  }
  return table.dump();
}

std::int64_t metadata_number(const SafetensorsReader& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  std::int64_t value = -1;
  if (found != file.metadata().end())
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  if (value < 0) throw InputError("{}: not a checkpoint: no number \"{}\" in its metadata", file.path(), key);
  return value;
}

/// Counts go on from the file's: neither they nor their sum may be near an overflow.
void check_counts(const SafetensorsReader& file, const std::string& name) {
  const std::vector<std::int64_t> counts = file.read<std::int64_t>(name);
  const std::int64_t most = (std::int64_t{1} << 62) / static_cast<std::int64_t>(counts.size());
  for (const std::int64_t count : counts)
    if (count < 0 || count > most)
      throw InputError("{}: tensor \"{}\": expected counts from 0 to {}, got {}", file.path(), name, most, count);
}

/// Where a local row's values stand in the file: among those of all nodes, replica by replica.
std::int64_t file_row(const Shard& shard, int row) {
  const NodeId id = shard.id_of(row);
  return static_cast<std::int64_t>(id.replica) * shard.all_nodes + id.node;
}

template <class Backend>
void write_array(SafetensorsWriter& file, const std::string& name, const Nodes<Backend>& nodes,
                 const Buffer<Backend, float>& array) {
  std::vector<float> packed(nodes.layout.params);
  read_rows(nodes.backend, array.view(), [&](int row, const float* values) {
    pack_row(nodes.layout, values, packed.data());
    file.write<float>(name, file_row(nodes.shard, row) * nodes.layout.params, packed);
  });
}

template <class Backend>
void read_array(const SafetensorsReader& file, const std::string& name, const Nodes<Backend>& nodes,
                const Buffer<Backend, float>& array) {
  std::vector<float> packed(nodes.layout.params);
  fill_rows(nodes.backend, array.view(), [&](int row, float* values) {
    file.read_part<float>(name, file_row(nodes.shard, row) * nodes.layout.params, packed);
    unpack_row(nodes.layout, packed.data(), values);
  });
}

template <class Backend>
void write_statistics(SafetensorsWriter& file, const Nodes<Backend>& nodes, MatrixView<const float> statistics) {
  if (statistics.cols == 0) return;
  read_rows(nodes.backend, statistics, [&](int row, const float* values) {
    file.write<float>("statistics", file_row(nodes.shard, row) * statistics.cols, {values, values + statistics.cols});
  });
}

template <class Backend>
void read_statistics(const SafetensorsReader& file, const Nodes<Backend>& nodes, MatrixView<float> statistics) {
  if (statistics.cols == 0) return;
  fill_rows(nodes.backend, statistics, [&](int row, float* values) {
    file.read_part<float>("statistics", file_row(nodes.shard, row) * statistics.cols,
                          {values, values + statistics.cols});
  });
}

/// One value per node, from or to host memory; those of a replica's local nodes stand together.
template <class T>
void write_values(SafetensorsWriter& file, const std::string& name, const Shard& shard, const std::vector<T>& values) {
  for (int row = 0; row < shard.rows(); row += shard.nodes())
    file.write<T>(name, file_row(shard, row), std::span(values).subspan(row, shard.nodes()));
}

template <class T>
std::vector<T> read_values(const SafetensorsReader& file, const std::string& name, const Shard& shard) {
  std::vector<T> values(shard.rows());
  for (int row = 0; row < shard.rows(); row += shard.nodes())
    file.read_part<T>(name, file_row(shard, row), std::span(values).subspan(row, shard.nodes()));
  return values;
}

}  // namespace

CheckpointHead read_checkpoint_head(const std::string& path, const Experiment& experiment) {
  const SafetensorsReader file(path);
  const auto hash = file.metadata().find("config_hash");
  if (hash == file.metadata().end()) throw InputError("{}: not a checkpoint: no \"config_hash\" in its metadata", path);
  if (hash->second != experiment.hash())
    throw InputError("{}: belongs to another configuration (hash {}, this one has {}); choose another --out", path,
                     quote(hash->second), experiment.hash());
  for (const TensorInfo& expected : checkpoint_tensors(experiment)) {
    const TensorInfo& found = file.info(expected.name);
    if (found.dtype != expected.dtype || found.shape != expected.shape)
      throw InputError("{}: tensor \"{}\": expected {} [{}], got {} [{}]", path, expected.name, expected.dtype,
                       fmt::join(expected.shape, ", "), found.dtype, fmt::join(found.shape, ", "));
  }
  const CheckpointHead head{file.read<std::int64_t>("step").front(), metadata_number(file, "sgd_steps")};
  if (head.step < 0) throw InputError("{}: tensor \"step\": expected at least 0, got {}", path, head.step);
  for (const double u : file.read<double>("u"))
    if (!(u > 0 && std::isfinite(u)))
      throw InputError("{}: tensor \"u\": expected positive push-sum weights, got {}", path, u);
  for (const char* name : {"train_loss_steps", "bytes_wire", "traffic"}) check_counts(file, name);
  return head;
}

template <class Backend>
SafetensorsWriter open_checkpoint(const std::string& path, Emulator<Backend>& emulator) {
  const Experiment& experiment = emulator.experiment();
  std::map<std::string, std::string> metadata = {
      {"config_hash", experiment.hash()},
      {"sgd_steps", std::to_string(experiment.schedule().sgd_steps())},
      {"parameters", parameter_table(experiment.task().parameters(), experiment.layout())}};
  if (const auto tensors = experiment.task().statistics(); !tensors.empty())
    metadata["statistics"] = statistics_table(tensors);
  return {path, checkpoint_tensors(experiment), metadata};
}

template <class Backend>
void write_checkpoint(SafetensorsWriter& file, Emulator<Backend>& emulator) {
  Nodes<Backend>& nodes = emulator.nodes();
  write_array(file, "x", nodes, nodes.x);
  write_array(file, "momentum", nodes, nodes.momentum);
  if (nodes.error) write_array(file, "error", nodes, *nodes.error);
  write_statistics<Backend>(file, nodes, emulator.gradients().statistics());
  write_values(file, "u", nodes.shard, nodes.u.to_host());
  write_values(file, "train_loss_sum", nodes.shard, emulator.loss_window().sum.to_host());
  write_values(file, "bytes_wire", nodes.shard, nodes.wire.to_host());
  if (nodes.shard.index != 0) return;
  const std::int64_t step = emulator.step();
  file.write<std::int64_t>("step", 0, std::span(&step, 1));
  file.write<std::int64_t>("train_loss_steps", 0, std::span(&emulator.loss_window().steps, 1));
  const Traffic& traffic = nodes.traffic;
  std::int64_t first = 0;
  for (const auto* counts : {&traffic.messages, &traffic.authors, &traffic.coo32, &traffic.dense}) {
    file.write<std::int64_t>("traffic", first, *counts);
    first += nodes.shard.replicas;
  }
}

template <class Backend>
void read_checkpoint(const std::string& path, Emulator<Backend>& emulator) {
  const SafetensorsReader file(path);
  Nodes<Backend>& nodes = emulator.nodes();
  read_array(file, "x", nodes, nodes.x);
  read_array(file, "momentum", nodes, nodes.momentum);
  if (nodes.error) read_array(file, "error", nodes, *nodes.error);
  read_statistics<Backend>(file, nodes, emulator.gradients().statistics());
  nodes.u.assign(read_values<double>(file, "u", nodes.shard));
  nodes.wire.assign(read_values<std::int64_t>(file, "bytes_wire", nodes.shard));
  emulator.loss_window().sum.assign(read_values<double>(file, "train_loss_sum", nodes.shard));
  emulator.loss_window().steps = file.read<std::int64_t>("train_loss_steps").front();
  std::int64_t first = 0;
  Traffic& traffic = nodes.traffic;
  for (auto* counts : {&traffic.messages, &traffic.authors, &traffic.coo32, &traffic.dense}) {
    file.read_part<std::int64_t>("traffic", first, *counts);
    first += nodes.shard.replicas;
  }
  emulator.resume_at(file.read<std::int64_t>("step").front());
}

template SafetensorsWriter open_checkpoint(const std::string&, Emulator<Cpu>&);
template void write_checkpoint(SafetensorsWriter&, Emulator<Cpu>&);
template void read_checkpoint(const std::string&, Emulator<Cpu>&);
template SafetensorsWriter open_checkpoint(const std::string&, Emulator<Cuda>&);
template void write_checkpoint(SafetensorsWriter&, Emulator<Cuda>&);
template void read_checkpoint(const std::string&, Emulator<Cuda>&);

}  // namespace sparsepush
