#include "host/config/config_fields.h"

#include <algorithm>
#include <limits>

#include "data/partitions/partition.h"
#include "data/sets/data_sources.h"
#include "data/table.h"
#include "host/algorithms/methods.h"
#include "host/topologies/topologies.h"
#include "models/models.h"
#include "models/norms.h"
#include "models/task_kinds.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kMany = 1'000'000;             // nodes and widths: far above what fits, far below overflow
constexpr std::int64_t kForever = 1'000'000'000'000;  // steps: products with nodes stay below 2^63
constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMostEpochs = 1'000'000'000;  // of at most as many steps: the product stays below 2^63
constexpr double kTinyAlpha = 1e-300;                // keeps logarithms of gamma variables finite
constexpr double kHuge = 1e6;                        // keeps products of settings finite in fp32

// Names of the data sets for which `key` counts, on their own or because of what learns them.
Choices sets_with(std::string_view key) {
  Choices names;
  for (const DataSource& source : data_sources())
    for (const auto& keys : {source.keys, kind_of_task(source.name).keys})
      if (std::ranges::find(keys, key) != keys.end()) names.push_back(source.name);
  return names;
}

Choices norms_with_statistics() {
  Choices names;
  for (const NormKind& norm : norms())
    if (norm.has_statistics) names.push_back(norm.name);
  return names;
}

// What a key is read into.
template <auto section, auto key>
Member at(Config& config) {
  return &(config.*section.*key);
}

OnlyFor when(std::string_view decider, Choices values) { return {decider, std::move(values), true}; }
OnlyFor ignored_unless(std::string_view decider, Choices values) { return {decider, std::move(values), false}; }

std::vector<Field> run_fields() {
  using C = RunConfig;
  constexpr auto run = &Config::run;
  return {
      {"run", "seed", at<run, &C::seed>, IntegerRange{0, kLargest}},
      {"run", "nodes", at<run, &C::nodes>, IntegerRange{1, kMany}, {}, "clients devices workers agents n world_size"},
      {"run", "replicas", at<run, &C::replicas>, IntegerRange{1, 10'000}, {}, "trials repetitions repeats"},
      {"run", "steps", at<run, &C::steps>, IntegerRange{0, kForever}, {}, "iterations rounds", false},
      {"run", "epochs", at<run, &C::epochs>, IntegerRange{1, kMostEpochs}, {}, "", false},
      {"run", "backend", at<run, &C::backend>, Choices{"auto", "cpu", "cuda"}, {}, "device platform", false},
      {"run", "threads", at<run, &C::threads>, IntegerRange{0, 4096}, {}, "", false},
      {"run", "shards", at<run, &C::shards>, IntegerRange{1, kMany}, {}, "", false},
      {"run", "checkpoint_steps", at<run, &C::checkpoint_steps>, IntegerRange{0, kForever}, {}, "", false},
      {"run", "verify", at<run, &C::verify>, {}, {}, "", false},
  };
}

std::vector<Field> data_fields() {
  using C = DataConfig;
  constexpr auto data = &Config::data;
  const OnlyFor divided = ignored_unless("data.name", sets_with("data.partition"));
  const auto of_sets = [](std::string_view key) { return when("data.name", sets_with(key)); };
  const auto of_rules = [](std::string_view key) {
    return when("data.partition", names_with_key(partition_rules(), key));
  };
  return {
      {"data", "name", at<data, &C::name>, names_of(data_sources()), {}, "dataset set"},
      {.section = "data",
       .key = "file",
       .member = at<data, &C::file>,
       .only_for = {of_sets("data.file")},
       .is_file = true},
      {.section = "data",
       .key = "path",
       .member = at<data, &C::path>,
       .only_for = {of_sets("data.path")},
       .also_called = "root data_dir dir folder",
       .changes_bits = false,
       .is_folder = true},
      {"data", "partition", at<data, &C::partition>, names_of(partition_rules()), {divided}, "split"},
      {"data", "skew", at<data, &C::skew>, NumberRange{0, 1}, {of_rules("data.skew"), divided}},
      {"data", "alpha", at<data, &C::alpha>, NumberRange{kTinyAlpha, kHuge}, {of_rules("data.alpha"), divided}},
      {"data", "batch", at<data, &C::batch>, IntegerRange{1, kMany}, {divided}, "batch_size"},
      {"data",
       "augment",
       at<data, &C::augment>,
       {},
       {of_sets("data.augment")},
       "augmentation data_augmentation crop flip"},
      {"data", "samples", at<data, &C::samples>, IntegerRange{6, 1'000'000'000}, {of_sets("data.samples")}},
      {"data", "features", at<data, &C::features>, IntegerRange{1, kMany}, {of_sets("data.features")}, "dimensions"},
      {"data", "classes", at<data, &C::classes>, IntegerRange{2, 256}, {of_sets("data.classes")}},
      {"data", "separation", at<data, &C::separation>, NumberRange{0, kHuge}, {of_sets("data.separation")}},
  };
}

std::vector<Field> model_and_topology_fields() {
  using T = TopologyConfig;
  constexpr auto model = &Config::model;
  constexpr auto topology = &Config::topology;
  const OnlyFor has_model = ignored_unless("data.name", sets_with("model.name"));
  const OnlyFor drawn = when("topology.name", names_with_key(topologies(), "degree"));
  return {
      {"model", "name", at<model, &ModelConfig::name>, names_of(models()), {has_model}, "network arch"},
      {"model",
       "hidden",
       at<model, &ModelConfig::hidden>,
       IntegerRange{1, kMany},
       {ignored_unless("model.name", names_with_key(models(), "model.hidden")), has_model},
       "widths layers"},
      {"model", "norm", at<model, &ModelConfig::norm>, names_of(norms()), {has_model}, "normalization batchnorm bn"},
      {"topology", "name", at<topology, &T::name>, names_of(topologies()), {}, "graph graph_type"},
      {"topology", "degree", at<topology, &T::degree>, IntegerRange{1, kMany}, {drawn}, "outdegree peers"},
      {"topology",
       "redraw",
       at<topology, &T::redraw>,
       {},
       {when("topology.name", names_with_key(topologies(), "redraw"))},
       "dynamic time_varying"},
      {"topology", "weights", at<topology, &T::weights>, Choices{"uniform"}, {}, "mixing"},
      {.section = "topology",
       .key = "file",
       .member = at<topology, &T::file>,
       .only_for = {when("topology.name", names_with_key(topologies(), "file"))},
       .also_called = "path edges",
       .is_file = true},
  };
}

std::vector<Field> algorithm_fields() {
  using C = AlgorithmConfig;
  constexpr auto algorithm = &Config::algorithm;
  const OnlyFor compressed = when("algorithm.name", methods_that_compress());
  const OnlyFor merges = when("algorithm.name", names_with_key(methods(), "final_rounds"));
  const OnlyFor selects = ignored_unless("algorithm.compressor", names_with_key(compressors(), "keep"));
  return {
      {"algorithm", "name", at<algorithm, &C::name>, names_of(methods()), {}, "method"},
      {"algorithm", "compressor", at<algorithm, &C::compressor>, names_of(compressors()), {compressed}, "compression"},
      {"algorithm", "scope", at<algorithm, &C::scope>, Choices{"layer", "global"}, {compressed, selects}},
      {"algorithm",
       "keep",
       at<algorithm, &C::keep>,
       NumberRange{0, 1, true},
       {compressed, selects},
       "topk top_k k ratio sparsity compression_ratio density"},
      {"algorithm",
       "averaging_rate",
       at<algorithm, &C::averaging_rate>,
       NumberRange{0, 1, true},
       {ignored_unless("algorithm.name", names_with_key(methods(), "averaging_rate"))},
       "eta gamma consensus_lr consensus_rate"},
      {"algorithm",
       "local_steps",
       at<algorithm, &C::local_steps>,
       IntegerRange{1, kForever},
       {when("algorithm.name", names_with_key(methods(), "local_steps"))},
       "h local_epochs"},
      {"algorithm", "final_rounds", at<algorithm, &C::final_rounds>, IntegerRange{1, kForever}, {merges}, "", false},
      {"algorithm", "final", at<algorithm, &C::final>, Choices{"gossip", "all_reduce"}, {merges}},
      {"algorithm",
       "final_statistics",
       at<algorithm, &C::final_statistics>,
       Choices{"average", "local"},
       {merges, when("model.norm", norms_with_statistics())}},
  };
}

std::vector<Field> optimizer_and_evaluate_fields() {
  using O = OptimizerConfig;
  constexpr auto optimizer = &Config::optimizer;
  constexpr auto evaluate = &Config::evaluate;
  return {
      {"optimizer", "lr", at<optimizer, &O::lr>, NumberRange{0, kHuge}, {}, "learning_rate rate step_size"},
      {"optimizer", "momentum", at<optimizer, &O::momentum>, NumberRange{0, 1, false, true}, {}, "beta"},
      {"optimizer", "kind", at<optimizer, &O::kind>, names_of(optimizers()), {}, "name nesterov"},
      {"optimizer", "weight_decay", at<optimizer, &O::weight_decay>, NumberRange{0, kHuge}, {}, "wd l2"},
      {"optimizer", "milestones", at<optimizer, &O::milestones>, IntegerRange{0, kForever}, {}, "schedule"},
      {"optimizer", "decay", at<optimizer, &O::decay>, NumberRange{0, 1, true}, {}, "lr_decay gamma"},
      {"optimizer", "warmup_epochs", at<optimizer, &O::warmup_epochs>, IntegerRange{0, kForever}, {}, "warmup warm_up"},
      {"optimizer", "warmup_factor", at<optimizer, &O::warmup_factor>, NumberRange{0, 1}},
      {"evaluate",
       "every_steps",
       at<evaluate, &EvaluateConfig::every_steps>,
       IntegerRange{0, kForever},
       {},
       "steps every"},
      {"evaluate", "nodes", at<evaluate, &EvaluateConfig::nodes>, IntegerRange{0, kMany}},
  };
}

std::vector<Field> all_fields() {
  std::vector<Field> fields;
  for (auto part :
       {run_fields, data_fields, model_and_topology_fields, algorithm_fields, optimizer_and_evaluate_fields})
    std::ranges::move(part(), std::back_inserter(fields));
  return fields;
}

}  // namespace

const std::vector<Field>& config_fields() {
  static const std::vector<Field> fields = all_fields();
  return fields;
}

std::vector<std::string_view> config_sections() {
  std::vector<std::string_view> sections;
  for (const Field& field : config_fields())
    if (sections.empty() || sections.back() != field.section) sections.push_back(field.section);
  return sections;
}

const Field* find_field(std::string_view section, std::string_view key) {
  const auto& fields = config_fields();
  const auto it = std::ranges::find_if(fields, [&](const Field& f) { return f.section == section && f.key == key; });
  return it == fields.end() ? nullptr : &*it;
}

std::string decider_value(const OnlyFor& rule, const Config& config) {
  const std::size_t dot = rule.decider.find('.');
  Config copy = config;
  return *std::get<std::string*>(find_field(rule.decider.substr(0, dot), rule.decider.substr(dot + 1))->member(copy));
}

const OnlyFor* why_unused(const Field& field, const Config& config) {
  for (const OnlyFor& rule : field.only_for)
    if (std::ranges::find(rule.values, decider_value(rule, config)) == rule.values.end()) return &rule;
  return nullptr;
}

}  // namespace sparsepush
