#include "host/records/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "host/records/run_rows.h"
#include "host/records/saved_config.h"
#include "host/state/nodes_plan.h"
#include "host/state/row_batches.h"
#include "host/state/sent_totals.h"

namespace sparsepush {
namespace {

/// The order of the counts in a file's "traffic"; bytes on the wire stand by themselves, node by node.
constexpr SentCount kTrafficCounts[] = {kMessagesSent, kAuthorsBytes, kCoo32Bytes, kDenseBytes};

constexpr std::string_view kStatistics = "statistics";

/// Describes a saved array: without padding, and as a list where it has one element a row.
TensorInfo saved_tensor(const StateArray& array, const Extent& all) {
  const std::int64_t elements = array.elements_in(all);
  std::vector<std::int64_t> shape = {array.rows_in(all)};
  if (elements != 1) shape.push_back(elements);
  return {std::string(array.name), std::string(name_of(array.dtype)), shape};
}

/// Returns the extent of a run, over all shards.
Extent extent_of_run(const Experiment& experiment, int run) {
  const RunConfig& config = experiment.runs().at(run).config.run;
  Extent all = extent_of(nodes_plan(experiment), experiment.layout(), config.nodes);
  all.replicas = config.replicas;
  all.rows = std::int64_t{config.replicas} * config.nodes;
  return all;
}

std::vector<TensorInfo> checkpoint_tensors(const Experiment& experiment, int run) {
  const Extent all = extent_of_run(experiment, run);
  std::vector<TensorInfo> tensors;
  for (const StateArray* array : state_of(experiment.recipe(), own_state(experiment))) {
    const std::int64_t statistics = elements_of(experiment.task().statistics());
    if (array->name == state::u.name && statistics > 0)
      tensors.push_back({std::string(kStatistics), "F32", {all.rows, statistics}});
    if (array->saved) tensors.push_back(saved_tensor(*array, all));
  }
  tensors.insert(tensors.end(), {{"step", "I64", {1}},
                                 {"train_loss_sum", "F64", {all.rows}},
                                 {"train_loss_steps", "I64", {1}},
                                 {"bytes_wire", "I64", {all.rows}},
                                 {"traffic", "I64", {std::ssize(kTrafficCounts), all.replicas}}});
  return tensors;
}

std::string parameter_table(const std::vector<Parameter>& parameters, const RowLayout& layout) {
  auto table = nlohmann::json::array();
  for (std::size_t s = 0; s < parameters.size(); ++s)
    table.push_back(
        {{"name", parameters[s].name}, {"shape", parameters[s].shape}, {"offset", layout.segments[s].packed_begin}});
  return table.dump();
}

/// Describes the running statistics as parameter_table does parameters; they have no padding.
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

/// Checks counts that the run goes on from: neither they nor their sum may be near an overflow.
void check_counts(const SafetensorsReader& file, const std::string& name) {
  const std::vector<std::int64_t> counts = file.read<std::int64_t>(name);
  const std::int64_t most = (std::int64_t{1} << 62) / static_cast<std::int64_t>(counts.size());
  for (const std::int64_t count : counts)
    if (count < 0 || count > most)
      throw InputError("{}: tensor \"{}\": expected counts from 0 to {}, got {}", file.path(), name, most, count);
}

/// Finds the place of a local row's values in the file: among those of all nodes, replica by replica.
std::int64_t file_row(const Shard& shard, int row) {
  const NodeId id = shard.id_of(row);
  return static_cast<std::int64_t>(id.replica) * shard.all_nodes + id.node;
}

/// Calls visit(first row in the file, local row, rows) for stretches of the local rows [first, first + count) that
/// stand together in the file too; padded rows come one by one, because the file has no padding.
template <class Visit>
void for_each_run(const Shard& shard, const StateArray& array, int first, int count, const Visit& visit) {
  for (int row = first, end = first + count, run = 0; row < end; row += run) {
    const int to_end_of_replica = array.is_of_nodes() ? shard.nodes() - row % shard.nodes() : end - row;
    run = array.is_padded() ? 1 : std::min(end - row, to_end_of_replica);
    visit(array.is_of_nodes() ? file_row(shard, row) : row, row, run);
  }
}

template <class Backend, class T>
void write_array(SafetensorsWriter& file, const RunRows<Backend>& rows, const Array<T>& array) {
  const Nodes<Backend>& nodes = rows.nodes;
  if (nodes.shard.index != 0 && (array.per == Per::kReplica || array.per == Per::kRun)) return;
  const std::int64_t elements = array.elements_in(nodes.extent);
  std::vector<T> packed(elements);
  read_row_batches(nodes.backend, rows.of(array), [&](int first, MatrixView<const T> batch) {
    for_each_run(rows.shard, array, first, batch.rows, [&](std::int64_t in_file, int row, int count) {
      std::span<const T> values(batch.row(row - first), static_cast<std::size_t>(count * elements));
      if constexpr (std::is_same_v<T, float>) {
        if (array.is_padded()) {
          pack_row(nodes.layout, values.data(), packed.data());
          values = packed;
        }
      }
      file.write<T>(std::string(array.name), in_file * elements, values);
    });
  });
}

template <class Backend, class T>
void read_array(const SafetensorsReader& file, const RunRows<Backend>& rows, const Array<T>& array) {
  const Nodes<Backend>& nodes = rows.nodes;
  const std::int64_t elements = array.elements_in(nodes.extent);
  std::vector<T> packed(elements);
  fill_row_batches(nodes.backend, rows.of(array), [&](int first, MatrixView<T> batch) {
    for_each_run(rows.shard, array, first, batch.rows, [&](std::int64_t in_file, int row, int count) {
      std::span<T> values(batch.row(row - first), static_cast<std::size_t>(count * elements));
      if (array.is_padded()) values = packed;
      file.read_part<T>(std::string(array.name), in_file * elements, values);
      if constexpr (std::is_same_v<T, float>)
        if (array.is_padded()) unpack_row(nodes.layout, packed.data(), batch.row(row - first));
    });
  });
}

/// Calls body(array) with the array's type.
template <class Body>
void with_type(const StateArray& array, const Body& body) {
  CHECK(array.dtype != Dtype::kI32, "checkpoints hold no 32-bit integers: ", array.name);
  if (array.dtype == Dtype::kF32) body(Array<float>(array));
  if (array.dtype == Dtype::kF64) body(Array<double>(array));
  if (array.dtype == Dtype::kI64) body(Array<std::int64_t>(array));
}

template <class Backend>
void write_statistics(SafetensorsWriter& file, const RunRows<Backend>& rows, MatrixView<const float> statistics) {
  if (statistics.cols == 0) return;
  read_rows(rows.nodes.backend, rows.of(statistics), [&](int row, const float* values) {
    file.write<float>(std::string(kStatistics), file_row(rows.shard, row) * statistics.cols,
                      {values, values + statistics.cols});
  });
}

template <class Backend>
void read_statistics(const SafetensorsReader& file, const RunRows<Backend>& rows, MatrixView<float> statistics) {
  if (statistics.cols == 0) return;
  fill_rows(rows.nodes.backend, rows.of(statistics), [&](int row, float* values) {
    file.read_part<float>(std::string(kStatistics), file_row(rows.shard, row) * statistics.cols,
                          {values, values + statistics.cols});
  });
}

/// Writes one value per node from host memory; values of a replica's local nodes stand together.
template <class Values>
void write_values(SafetensorsWriter& file, const std::string& name, const Shard& shard, const Values& values) {
  using T = std::remove_cvref_t<decltype(values[0])>;
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

/// Reads the counts of local rows. What a replica has sent in all but bytes on the wire is known as a sum only, and
/// stands with its first node.
template <class Backend>
void read_sent(const SafetensorsReader& file, const RunRows<Backend>& rows) {
  const Shard& shard = rows.shard;
  std::vector<std::int64_t> sent = rows.nodes.sent.to_host();
  const auto of = [&](SentCount count) {
    const std::size_t all = rows.nodes.shard.rows();
    return rows.of(std::span(sent).subspan(static_cast<std::size_t>(count) * all, all));
  };
  for (int count = 0; count < kSentCounts; ++count) std::ranges::fill(of(static_cast<SentCount>(count)), 0);
  std::ranges::copy(read_values<std::int64_t>(file, "bytes_wire", shard), of(kWireBytes).begin());
  if (shard.owns(0)) {
    const std::vector<std::int64_t> totals = file.read<std::int64_t>("traffic");
    std::size_t next = 0;
    for (const SentCount count : kTrafficCounts)
      for (int r = 0; r < shard.replicas; ++r) of(count)[shard.row_of({r, 0})] = totals[next++];
  }
  rows.nodes.sent.assign(sent);
}

void check_shape(const SafetensorsReader& file, const TensorInfo& expected, const std::string& before = "") {
  const TensorInfo& found = file.info(expected.name);
  if (found.dtype != expected.dtype || found.shape != expected.shape)
    throw InputError("{}{}: tensor \"{}\": expected {} [{}], got {} [{}]", before, file.path(), expected.name,
                     expected.dtype, fmt::join(expected.shape, ", "), found.dtype, fmt::join(found.shape, ", "));
}

bool has_tensor(const SafetensorsReader& file, const std::string& name) {
  return std::ranges::find(file.tensors(), name, &TensorInfo::name) != file.tensors().end();
}

/// Checks the push-sum weights of rows, and of their blocks where the run mixed by blocks.
void check_push_weights(const SafetensorsReader& file) {
  for (const std::string name : {"u", "block_u"}) {
    if (!has_tensor(file, name)) continue;
    for (const double u : file.read<double>(name))
      if (!(u > 0 && std::isfinite(u)))
        throw InputError("{}: tensor \"{}\": expected positive push-sum weights, got {}", file.path(), name, u);
  }
}

/// Counts the blocks of a row in a file whose run mixed by blocks; 0 for any other file. Throws InputError where they
/// fit no rows.
std::int64_t blocks_in(const SafetensorsReader& file, const Experiment& experiment, int run_number) {
  if (!has_tensor(file, "block_u")) return 0;
  const std::vector<std::int64_t>& shape = file.info("block_u").shape;
  const RunConfig& run = experiment.runs().at(run_number).config.run;
  const std::int64_t blocks = shape.size() == 2 ? shape[1] : 1, rows = std::int64_t{run.replicas} * run.nodes;
  if (shape.empty() || shape.size() > 2 || shape[0] != rows || blocks < 1 || blocks > experiment.layout().params)
    throw InputError("{}: tensor \"block_u\": expected [{}, blocks], got [{}]", file.path(), rows,
                     fmt::join(shape, ", "));
  return blocks;
}

[[noreturn]] void refuse_hash(const std::string& path, const std::string& found, const Experiment& experiment,
                              int run) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const std::string differences = differences_from_saved(folder, experiment.runs().at(run).config);
  throw InputError("{}: belongs to another configuration: {}; choose another --out", path,
                   differences.empty()
                       ? fmt::format("its hash is {}, this one's {}", in_quotes_short(found), experiment.hash(run))
                       : differences);
}

}  // namespace

CheckpointHead read_checkpoint_head(const std::string& path, const Experiment& experiment, int run) {
  const SafetensorsReader file(path);
  const auto hash = file.metadata().find("config_hash");
  if (hash == file.metadata().end()) throw InputError("{}: not a checkpoint: no \"config_hash\" in its metadata", path);
  if (hash->second != experiment.hash(run)) refuse_hash(path, hash->second, experiment, run);
  for (const TensorInfo& expected : checkpoint_tensors(experiment, run)) check_shape(file, expected);
  const CheckpointHead head{.step = file.read<std::int64_t>("step").front(),
                            .sgd_steps = metadata_number(file, "sgd_steps"),
                            .untested = file.metadata().contains("untested"),
                            .loss_steps = file.read<std::int64_t>("train_loss_steps").front()};
  if (head.step < 0) throw InputError("{}: tensor \"step\": expected at least 0, got {}", path, head.step);
  check_push_weights(file);
  for (const char* name : {"train_loss_steps", "bytes_wire", "traffic"}) check_counts(file, name);
  if (contains(experiment.recipe().method.state, state::syncs)) check_counts(file, "syncs");
  return head;
}

void check_start(const std::string& path, const Experiment& experiment, int run) {
  const SafetensorsReader file(path);
  const auto parameters = file.metadata().find("parameters");
  if (parameters == file.metadata().end())
    throw InputError("run.start: {}: not a checkpoint: no \"parameters\" in its metadata", path);
  for (const TensorInfo& expected : checkpoint_tensors(experiment, run))
    for (const std::string_view name : {state::x.name, state::u.name, kStatistics})
      if (expected.name == name) check_shape(file, expected, "run.start: ");
  if (parameters->second != parameter_table(experiment.task().parameters(), experiment.layout()))
    throw InputError("run.start: {}: is of a model with other tensors", path);
  blocks_in(file, experiment, run);
  check_push_weights(file);
}

template <class Backend>
void read_start(const std::string& path, Emulator<Backend>& emulator, int run) {
  const SafetensorsReader file(path);
  Nodes<Backend>& nodes = emulator.nodes();
  const RunRows<Backend> rows(nodes, emulator.experiment().runs().at(run));
  const std::vector<double> u = read_values<double>(file, "u", rows.shard);
  const std::int64_t params = nodes.layout.params, blocks = blocks_in(file, emulator.experiment(), run);
  std::vector<double> weights(blocks);
  std::vector<float> packed(params);
  fill_rows(nodes.backend, rows.of(state::x), [&](int row, float* values) {
    file.read_part<float>("x", file_row(rows.shard, row) * nodes.layout.params, packed);
    const auto factor = static_cast<float>(1 / u[row]);
    for (float& value : packed) value *= factor;
    if (blocks > 0) file.read_part<double>("block_u", file_row(rows.shard, row) * blocks, weights);
    for (std::int64_t b = 0; b < blocks; ++b)
      for (std::int64_t j = b * params / blocks; j < (b + 1) * params / blocks; ++j)
        packed[j] *= static_cast<float>(1 / weights[b]);
    if (!std::ranges::all_of(packed, [](float value) { return std::isfinite(value); }))
      throw InputError("run.start: {}: the parameters of node {} are not finite", path, rows.shard.id_of(row).node);
    unpack_row(nodes.layout, packed.data(), values);
  });
  read_statistics<Backend>(file, rows, emulator.gradients().statistics());
  emulator.start_arrays();
}

template <class Backend>
SafetensorsWriter open_checkpoint(const std::string& path, Emulator<Backend>& emulator, bool untested, int run) {
  const Experiment& experiment = emulator.experiment();
  std::map<std::string, std::string> metadata = {
      {"config_hash", experiment.hash(run)},
      {"sgd_steps", std::to_string(experiment.schedule().sgd_steps())},
      {"parameters", parameter_table(experiment.task().parameters(), experiment.layout())}};
  if (const auto tensors = experiment.task().statistics(); !tensors.empty())
    metadata["statistics"] = statistics_table(tensors);
  if (untested) metadata["untested"] = "true";
  return {path, checkpoint_tensors(experiment, run), metadata};
}

template <class Backend>
SavedCounts counts_to_save(Emulator<Backend>& emulator) {
  return {.losses = emulator.loss_window().sum.to_host(),
          .sent = emulator.nodes().sent.to_host(),
          .totals = gather_sent(emulator.nodes())};
}

template <class Backend>
void write_checkpoint(SafetensorsWriter& file, Emulator<Backend>& emulator, const SavedCounts& counts, int run) {
  Nodes<Backend>& nodes = emulator.nodes();
  const RunRows<Backend> rows(nodes, emulator.experiment().runs().at(run));
  for (const StateArray* array : nodes.arrays)
    if (array->saved) with_type(*array, [&](const auto& typed) { write_array(file, rows, typed); });
  write_statistics<Backend>(file, rows, emulator.gradients().statistics());
  write_values(file, "train_loss_sum", rows.shard, rows.of(std::span(counts.losses)));
  const auto wire = std::span(counts.sent).subspan(static_cast<std::size_t>(kWireBytes) * nodes.shard.rows());
  write_values(file, "bytes_wire", rows.shard, rows.of(wire));
  if (nodes.shard.index != 0) return;
  const std::int64_t step = emulator.step();
  file.write<std::int64_t>("step", 0, std::span(&step, 1));
  file.write<std::int64_t>("train_loss_steps", 0, std::span(&emulator.loss_window().steps, 1));
  std::int64_t first = 0;
  for (const SentCount count : kTrafficCounts) {
    file.write<std::int64_t>("traffic", first,
                             std::span(counts.totals[count]).subspan(rows.replicas.first, rows.replicas.count));
    first += rows.replicas.count;
  }
}

template <class Backend>
void read_checkpoint(const std::string& path, Emulator<Backend>& emulator, int run) {
  const SafetensorsReader file(path);
  Nodes<Backend>& nodes = emulator.nodes();
  const RunRows<Backend> rows(nodes, emulator.experiment().runs().at(run));
  for (const StateArray* array : nodes.arrays)
    if (array->saved) with_type(*array, [&](const auto& typed) { read_array(file, rows, typed); });
  read_statistics<Backend>(file, rows, emulator.gradients().statistics());
  std::vector<double> losses = emulator.loss_window().sum.to_host();
  std::ranges::copy(read_values<double>(file, "train_loss_sum", rows.shard), rows.of(std::span(losses)).begin());
  emulator.loss_window().sum.assign(losses);
  emulator.loss_window().steps = file.read<std::int64_t>("train_loss_steps").front();
  read_sent(file, rows);
  emulator.resume_at(file.read<std::int64_t>("step").front());
}

template SafetensorsWriter open_checkpoint(const std::string&, Emulator<Cpu>&, bool, int);
template SavedCounts counts_to_save(Emulator<Cpu>&);
template SavedCounts counts_to_save(Emulator<Cuda>&);
template void write_checkpoint(SafetensorsWriter&, Emulator<Cpu>&, const SavedCounts&, int);
template void read_checkpoint(const std::string&, Emulator<Cpu>&, int);
template void read_start(const std::string&, Emulator<Cpu>&, int);
template SafetensorsWriter open_checkpoint(const std::string&, Emulator<Cuda>&, bool, int);
template void write_checkpoint(SafetensorsWriter&, Emulator<Cuda>&, const SavedCounts&, int);
template void read_checkpoint(const std::string&, Emulator<Cuda>&, int);
template void read_start(const std::string&, Emulator<Cuda>&, int);

}  // namespace sparsepush
