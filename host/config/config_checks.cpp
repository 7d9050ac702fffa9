#include "host/config/config_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "data/sets/data_sources.h"
#include "data/table.h"
#include "host/recipe/methods.h"
#include "host/topologies/topologies.h"
#include "models/models.h"
#include "models/task_kinds.h"

namespace sparsepush {
namespace {

// Throws about `key` unless `holds`.
void require(bool holds, const Origins& origins, const std::string& key, const std::string& expected) {
  if (!holds) throw InputError("{}: {}: {}", origins.of(key), key, expected);
}

void check_run(const RunConfig& run, const Origins& origins) {
  const auto last_seed = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  require(run.seed <= last_seed - static_cast<std::uint64_t>(run.replicas - 1), origins, "run.seed",
          fmt::format("expected seed + replicas - 1 <= {}, got {} + {} - 1", last_seed, run.seed, run.replicas));
  require(std::int64_t{run.nodes} * run.replicas <= std::numeric_limits<std::int32_t>::max(), origins, "run.nodes",
          fmt::format("expected nodes * replicas <= 2147483647, got {} * {}", run.nodes, run.replicas));
  require(run.shards <= run.nodes, origins, "run.shards",
          fmt::format("expected shards <= nodes, got {} shards for {} nodes", run.shards, run.nodes));
}

void check_data_keys(const Config& config, const Origins& origins) {
  const DataSource& source = row_named(data_sources(), "data.name", config.data.name);
  require(source.file.empty() || !config.data.file.empty(), origins, "data.name",
          fmt::format("{} needs data.file, {}", in_quotes(source.name), source.file));
  require(config.data.partition != "file" || !kind_of_task(source.name).has_epochs ||
              !config.data.partition_file.empty() || source.may_have_owners,
          origins, "data.partition", "\"file\" needs data.partition_file, a CSV file with the header sample,node");
  if (kind_of_task(source.name).has_epochs || config.data.epoch_steps > 0) return;
  const std::string with = " with data.name = " + in_quotes(source.name);
  require(config.run.steps > 0, origins, origins.is_set("run.steps") ? "run.steps" : "data.name",
          "expected run.steps > 0" + with + ", which has no epochs");
  require(config.optimizer.milestones.empty(), origins, "optimizer.milestones",
          "expected []" + with + ", which has no epochs");
  require(config.optimizer.warmup_epochs == 0, origins, "optimizer.warmup_epochs",
          "expected 0" + with + ", which has no epochs");
}

void check_algorithm_keys(const AlgorithmConfig& algorithm, const Origins& origins) {
  const Method& method = row_named(methods(), "algorithm.name", algorithm.name);
  require(
      !method.block_weights || algorithm.blocks > 0, origins, "algorithm.name",
      fmt::format("{} needs algorithm.blocks, the number of blocks that models are cut into", in_quotes(method.name)));
}

void check_topology_keys(const Config& config, const Origins& origins) {
  if (!row_named(methods(), "algorithm.name", config.algorithm.name).needs.topology) return;  // its keys do not count
  const TopologyConfig& topology = config.topology;
  const TopologyKind& kind = topology_kind(topology);
  if (has_key(kind, "degree")) {
    const bool degree_set = origins.is_set("topology.degree") || !origins.is_set("run.nodes");
    require(topology.degree < config.run.nodes || (kind.is_undirected && config.run.nodes == 1), origins,
            degree_set ? "topology.degree" : "run.nodes",
            fmt::format("expected topology.degree < run.nodes, got degree {} for {} nodes", topology.degree,
                        config.run.nodes));
  }
  require(kind.only_nodes == 0 || config.run.nodes == kind.only_nodes, origins, "topology.name",
          fmt::format("{} is for {} nodes; run.nodes is {}", in_quotes(kind.name), kind.only_nodes, config.run.nodes));
  if (has_key(kind, "file"))
    require(!topology.file.empty(), origins, "topology.name", "\"file\" needs topology.file, a CSV file");
}

void check_model_keys(const Config& config, const Origins& origins) {
  const ModelConfig& model = config.model;
  const Model& row = row_named(models(), "model.name", model.name);
  require(std::ranges::find(row.keys, "model.hidden") == row.keys.end() || !model.hidden.empty(), origins,
          "model.hidden", "expected at least one width; a model without hidden layers is model.name = \"softmax\"");
  require(row.has_image_layers || model.norm == "none", origins, "model.norm",
          fmt::format("expected \"none\" for model.name = {}, got {}", in_quotes(model.name), in_quotes(model.norm)));
}

void check_compressor_keys(const Config& config, const Origins& origins) {
  const int bits = config.algorithm.value_bits;
  require(bits == 16 || bits == 32, origins, "algorithm.value_bits", fmt::format("expected 16 or 32, got {}", bits));
  const Recipe recipe = recipe_of(config);
  if (!recipe.method.needs.unbiased || recipe.compressor->can_be_unbiased) return;
  std::vector<std::string_view> unbiased;
  for (const Compressor& compressor : compressors())
    if (compressor.can_be_unbiased) unbiased.push_back(compressor.name);
  require(false, origins, "algorithm.compressor",
          fmt::format("expected {} with {}, which mixes at averaging rate 1 and so needs an unbiased one of small "
                      "variance; {} goes with choco",
                      fmt::join(unbiased, " or "), recipe.method.name, in_quotes(recipe.compressor->name)));
}

}  // namespace

void check_config(const Config& config, const Origins& origins) {
  check_run(config.run, origins);
  check_data_keys(config, origins);
  check_topology_keys(config, origins);
  check_algorithm_keys(config.algorithm, origins);
  check_model_keys(config, origins);
  check_compressor_keys(config, origins);
  const auto& milestones = config.optimizer.milestones;
  require(std::ranges::adjacent_find(milestones, std::greater_equal{}) == milestones.end(), origins,
          "optimizer.milestones", fmt::format("expected ascending epochs, got [{}]", fmt::join(milestones, ", ")));
  const auto& decay = config.algorithm.averaging_decay;
  require(decay.empty() || decay.size() == milestones.size(), origins, "algorithm.averaging_decay",
          fmt::format("expected a factor for each of {} milestones, got {}", milestones.size(), decay.size()));
  require(
      config.evaluate.nodes <= config.run.nodes, origins, "evaluate.nodes",
      fmt::format("expected evaluate.nodes <= run.nodes, got {} of {} nodes", config.evaluate.nodes, config.run.nodes));
}

}  // namespace sparsepush
