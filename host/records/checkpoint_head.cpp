#include "host/records/checkpoint_head.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "host/records/saved_config.h"
#include "host/state/nodes_plan.h"

namespace sparsepush {
namespace {

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

}  // namespace sparsepush
