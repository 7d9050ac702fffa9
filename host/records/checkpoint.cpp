#include "host/records/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "data/files/input_error.h"
#include "host/records/run_rows.h"
#include "host/records/shared_checkpoint.h"
#include "host/state/row_batches.h"
#include "host/state/sent_totals.h"

namespace sparsepush {
namespace {

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
void write_array(CheckpointWriter<Backend>& file, const RunRows<Backend>& rows, const Array<T>& array) {
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
      file.template write<T>(std::string(array.name), in_file * elements, values);
    });
  });
}

template <class Backend, class T>
void read_array(CheckpointReader<Backend>& file, const RunRows<Backend>& rows, const Array<T>& array) {
  const Nodes<Backend>& nodes = rows.nodes;
  const std::int64_t elements = array.elements_in(nodes.extent);
  std::vector<T> packed(elements);
  fill_row_batches(nodes.backend, rows.of(array), [&](int first, MatrixView<T> batch) {
    for_each_run(rows.shard, array, first, batch.rows, [&](std::int64_t in_file, int row, int count) {
      std::span<T> values(batch.row(row - first), static_cast<std::size_t>(count * elements));
      if (array.is_padded()) values = packed;
      file.read(std::string(array.name), in_file * elements, values);
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
void write_statistics(CheckpointWriter<Backend>& file, const RunRows<Backend>& rows,
                      MatrixView<const float> statistics) {
  if (statistics.cols == 0) return;
  read_rows(rows.nodes.backend, rows.of(statistics), [&](int row, const float* values) {
    file.template write<float>(std::string(kStatistics), file_row(rows.shard, row) * statistics.cols,
                               {values, values + statistics.cols});
  });
}

template <class Backend>
void read_statistics(CheckpointReader<Backend>& file, const RunRows<Backend>& rows, MatrixView<float> statistics) {
  if (statistics.cols == 0) return;
  fill_rows(rows.nodes.backend, rows.of(statistics), [&](int row, float* values) {
    file.read(std::string(kStatistics), file_row(rows.shard, row) * statistics.cols,
              std::span(values, values + statistics.cols));
  });
}

/// Writes one value per node from host memory; values of a replica's local nodes stand together.
template <class Backend, class Values>
void write_values(CheckpointWriter<Backend>& file, const std::string& name, const Shard& shard, const Values& values) {
  using T = std::remove_cvref_t<decltype(values[0])>;
  for (int row = 0; row < shard.rows(); row += shard.nodes())
    file.template write<T>(name, file_row(shard, row), std::span(values).subspan(row, shard.nodes()));
}

template <class T, class Backend>
std::vector<T> read_values(CheckpointReader<Backend>& file, const std::string& name, const Shard& shard) {
  std::vector<T> values(shard.rows());
  for (int row = 0; row < shard.rows(); row += shard.nodes())
    file.read(name, file_row(shard, row), std::span(values).subspan(row, shard.nodes()));
  return values;
}

/// Reads the counts of local rows. What a replica has sent in all but bytes on the wire is known as a sum only, and
/// stands with its first node.
template <class Backend>
void read_sent(CheckpointReader<Backend>& file, const RunRows<Backend>& rows) {
  const Shard& shard = rows.shard;
  std::vector<std::int64_t> sent = rows.nodes.sent.to_host();
  const auto of = [&](SentCount count) {
    const std::size_t all = rows.nodes.shard.rows();
    return rows.of(std::span(sent).subspan(static_cast<std::size_t>(count) * all, all));
  };
  for (int count = 0; count < kSentCounts; ++count) std::ranges::fill(of(static_cast<SentCount>(count)), 0);
  std::ranges::copy(read_values<std::int64_t>(file, "bytes_wire", shard), of(kWireBytes).begin());
  if (shard.owns(0)) {
    std::vector<std::int64_t> totals(std::size(kTrafficCounts) * shard.replicas);
    file.read("traffic", 0, std::span(totals));
    std::size_t next = 0;
    for (const SentCount count : kTrafficCounts)
      for (int r = 0; r < shard.replicas; ++r) of(count)[shard.row_of({r, 0})] = totals[next++];
  }
  rows.nodes.sent.assign(sent);
}

/// Opens the file in shard 0.
template <class Backend>
std::unique_ptr<SafetensorsReader> open_in_first(const std::string& path, const Transport<Backend>& transport) {
  return transport.shard().index == 0 ? std::make_unique<SafetensorsReader>(path) : nullptr;
}

}  // namespace

template <class Backend>
void read_start(const std::string& path, Emulator<Backend>& emulator, int run) {
  Nodes<Backend>& nodes = emulator.nodes();
  const auto own = open_in_first(path, nodes.transport);
  std::int64_t blocks = own ? blocks_in(*own, emulator.experiment(), run) : 0;
  nodes.transport.broadcast(std::as_writable_bytes(std::span(&blocks, 1)));
  CheckpointReader<Backend> file(nodes.transport, own.get());
  const RunRows<Backend> rows(nodes, emulator.experiment().runs().at(run));
  const std::vector<double> u = read_values<double>(file, "u", rows.shard);
  const std::int64_t params = nodes.layout.params;
  std::vector<double> weights(blocks);
  std::vector<float> packed(params);
  fill_rows(nodes.backend, rows.of(state::x), [&](int row, float* values) {
    file.read("x", file_row(rows.shard, row) * nodes.layout.params, std::span(packed));
    const auto factor = static_cast<float>(1 / u[row]);
    for (float& value : packed) value *= factor;
    if (blocks > 0) file.read("block_u", file_row(rows.shard, row) * blocks, std::span(weights));
    for (std::int64_t b = 0; b < blocks; ++b)
      for (std::int64_t j = b * params / blocks; j < (b + 1) * params / blocks; ++j)
        packed[j] *= static_cast<float>(1 / weights[b]);
    if (!std::ranges::all_of(packed, [](float value) { return std::isfinite(value); }))
      throw InputError("run.start: {}: the parameters of node {} are not finite", path, rows.shard.id_of(row).node);
    unpack_row(nodes.layout, packed.data(), values);
  });
  read_statistics(file, rows, emulator.gradients().statistics());
  file.finish();
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
void write_checkpoint(SafetensorsWriter* own, Emulator<Backend>& emulator, const SavedCounts& counts, int run) {
  Nodes<Backend>& nodes = emulator.nodes();
  CheckpointWriter<Backend> file(nodes.transport, own);
  const RunRows<Backend> rows(nodes, emulator.experiment().runs().at(run));
  for (const StateArray* array : nodes.arrays)
    if (array->saved) with_type(*array, [&](const auto& typed) { write_array(file, rows, typed); });
  write_statistics(file, rows, MatrixView<const float>(emulator.gradients().statistics()));
  write_values(file, "train_loss_sum", rows.shard, rows.of(std::span(counts.losses)));
  const auto wire = std::span(counts.sent).subspan(static_cast<std::size_t>(kWireBytes) * nodes.shard.rows());
  write_values(file, "bytes_wire", rows.shard, rows.of(wire));
  file.finish();
  if (own == nullptr) return;
  const std::int64_t step = emulator.step();
  own->write<std::int64_t>("step", 0, std::span(&step, 1));
  own->write<std::int64_t>("train_loss_steps", 0, std::span(&emulator.loss_window().steps, 1));
  std::int64_t first = 0;
  for (const SentCount count : kTrafficCounts) {
    own->write<std::int64_t>("traffic", first,
                             std::span(counts.totals[count]).subspan(rows.replicas.first, rows.replicas.count));
    first += rows.replicas.count;
  }
}

template <class Backend>
void read_checkpoint(const std::string& path, Emulator<Backend>& emulator, int run) {
  Nodes<Backend>& nodes = emulator.nodes();
  const auto own = open_in_first(path, nodes.transport);
  CheckpointReader<Backend> file(nodes.transport, own.get());
  const RunRows<Backend> rows(nodes, emulator.experiment().runs().at(run));
  for (const StateArray* array : nodes.arrays)
    if (array->saved) with_type(*array, [&](const auto& typed) { read_array(file, rows, typed); });
  read_statistics(file, rows, emulator.gradients().statistics());
  std::vector<double> losses = emulator.loss_window().sum.to_host();
  std::ranges::copy(read_values<double>(file, "train_loss_sum", rows.shard), rows.of(std::span(losses)).begin());
  emulator.loss_window().sum.assign(losses);
  emulator.loss_window().steps = file.number("train_loss_steps");
  read_sent(file, rows);
  const std::int64_t step = file.number("step");
  file.finish();
  emulator.resume_at(step);
}

template SafetensorsWriter open_checkpoint(const std::string&, Emulator<Cpu>&, bool, int);
template SavedCounts counts_to_save(Emulator<Cpu>&);
template SavedCounts counts_to_save(Emulator<Cuda>&);
template void write_checkpoint(SafetensorsWriter*, Emulator<Cpu>&, const SavedCounts&, int);
template void read_checkpoint(const std::string&, Emulator<Cpu>&, int);
template void read_start(const std::string&, Emulator<Cpu>&, int);
template SafetensorsWriter open_checkpoint(const std::string&, Emulator<Cuda>&, bool, int);
template void write_checkpoint(SafetensorsWriter*, Emulator<Cuda>&, const SavedCounts&, int);
template void read_checkpoint(const std::string&, Emulator<Cuda>&, int);
template void read_start(const std::string&, Emulator<Cuda>&, int);

}  // namespace sparsepush
