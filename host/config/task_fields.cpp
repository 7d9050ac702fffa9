// [data] and [model]: what nodes learn.
#include <algorithm>
#include <limits>

#include "data/partitions/partition.h"
#include "data/sets/data_sources.h"
#include "data/table.h"
#include "host/config/section_fields.h"
#include "models/models.h"
#include "models/norms.h"
#include "models/task_kinds.h"

namespace sparsepush {
namespace {

constexpr double kTinyAlpha = 1e-300;  // keeps logarithms of gamma variables finite

OnlyFor of_sets(std::string_view key) { return when("data.name", sets_with(key)); }
OnlyFor of_rules(std::string_view key) { return when("data.partition", names_with_key(partition_rules(), key)); }

}  // namespace

Choices sets_with(std::string_view key) {
  Choices names;
  for (const DataSource& source : data_sources())
    for (const auto& keys : {source.keys, kind_of_task(source.name).keys})
      if (std::ranges::find(keys, key) != keys.end()) names.push_back(source.name);
  return names;
}

std::vector<Field> data_fields() {
  using C = DataConfig;
  constexpr auto data = &Config::data;
  const OnlyFor divided = when("data.name", sets_with("data.partition"));
  return {
      {.key = "name",
       .meaning = "data set or problem",
       .member = at<data, &C::name>,
       .constraint = names_of(data_sources()),
       .also_called = "dataset set"},
      {.key = "file",
       .meaning = "what the problem, or a set of one's own, is read from",
       .member = at<data, &C::file>,
       .only_for = {of_sets("data.file")},
       .is_file = true},
      {.key = "path",
       .meaning = "folder of a set that is read from files",
       .member = at<data, &C::path>,
       .only_for = {of_sets("data.path")},
       .default_in_words = "`\"data/NAME\"`",
       .also_called = "root data_dir dir folder",
       .changes_bits = false,
       .is_folder = true},
      {.key = "seed",
       .meaning = "of the partition, the same for all replicas; auto: that of each replica",
       .member = at<data, &C::seed>,
       .constraint = IntegerRange{0, std::numeric_limits<std::int64_t>::max()},
       .only_for = {divided},
       .came_later = true,
       .by_replica = true},
      {.key = "partition",
       .meaning = "how the nodes share the training samples",
       .member = at<data, &C::partition>,
       .constraint = names_of(partition_rules()),
       .only_for = {divided},
       .also_called = "split",
       .by_replica = true},
      {.key = "partition_file",
       .meaning = "CSV file `sample,node` of training samples; not needed where data.file has `train_node`",
       .member = at<data, &C::partition_file>,
       .only_for = {of_rules("data.partition_file"), divided},
       .is_file = true,
       .by_replica = true},
      {.key = "min_samples",
       .meaning = "of every node: dirichlet and quantity are drawn again, then mended; 0: nodes without data only mix",
       .member = at<data, &C::min_samples>,
       .constraint = IntegerRange{0, kMany},
       .only_for = {divided},
       .came_later = true,
       .by_replica = true},
      {.key = "skew",
       .meaning = "share of the samples that is dealt out ordered by class; with 1 a node owns few classes",
       .member = at<data, &C::skew>,
       .constraint = NumberRange{0, 1},
       .only_for = {of_rules("data.skew"), divided},
       .by_replica = true},
      {.key = "alpha",
       .meaning =
           "concentration of the nodes' shares, in each class or of all samples; the smaller, the fewer classes a "
           "node owns, or the more unequal nodes are",
       .member = at<data, &C::alpha>,
       .constraint = NumberRange{kTinyAlpha, kHuge},
       .only_for = {of_rules("data.alpha"), divided},
       .by_replica = true},
      {.key = "shards",
       .meaning = "pieces of the samples ordered by class that each node gets",
       .member = at<data, &C::shards>,
       .constraint = IntegerRange{1, kMany},
       .only_for = {of_rules("data.shards"), divided},
       .by_replica = true},
      {.key = "batch",
       .meaning = "samples a node and step",
       .member = at<data, &C::batch>,
       .constraint = IntegerRange{1, kMany},
       .only_for = {divided},
       .also_called = "batch_size"},
      {.key = "augment",
       .meaning = "training images are shifted by up to 4 pixels each way and mirrored left to right, at random",
       .member = at<data, &C::augment>,
       .only_for = {of_sets("data.augment")},
       .also_called = "augmentation data_augmentation crop flip"},
      {.key = "samples",
       .meaning = "of both sets; a sixth is for the test",
       .member = at<data, &C::samples>,
       .constraint = IntegerRange{6, 1'000'000'000},
       .only_for = {of_sets("data.samples")}},
      {.key = "features",
       .meaning = "of a sample",
       .member = at<data, &C::features>,
       .constraint = IntegerRange{1, kMany},
       .only_for = {of_sets("data.features")},
       .also_called = "dimensions"},
      {.key = "classes",
       .meaning = "of equal size",
       .member = at<data, &C::classes>,
       .constraint = IntegerRange{2, 256},
       .only_for = {of_sets("data.classes")}},
      {.key = "separation",
       .meaning = "expected distance of two classes' means, in deviations within a class",
       .member = at<data, &C::separation>,
       .constraint = NumberRange{0, kHuge},
       .only_for = {of_sets("data.separation")}},
      {.key = "epoch_steps",
       .meaning = "steps that count as an epoch; 0: there are none",
       .member = at<data, &C::epoch_steps>,
       .constraint = IntegerRange{0, 1'000'000'000},
       .only_for = {of_sets("data.epoch_steps")},
       .came_later = true},
  };
}

std::vector<Field> model_fields() {
  using M = ModelConfig;
  constexpr auto model = &Config::model;
  const OnlyFor has_model = when("data.name", sets_with("model.name"));
  return {
      {.key = "name",
       .meaning = "network of every node",
       .member = at<model, &M::name>,
       .constraint = names_of(models()),
       .only_for = {has_model},
       .also_called = "network arch"},
      {.key = "hidden",
       .meaning = "widths of the hidden layers",
       .member = at<model, &M::hidden>,
       .constraint = IntegerRange{1, kMany},
       .only_for = {when("model.name", names_with_key(models(), "model.hidden")), has_model},
       .also_called = "widths layers"},
      {.key = "norm",
       .meaning = "normalization; models without layers for images have none",
       .member = at<model, &M::norm>,
       .constraint = names_of(norms()),
       .only_for = {has_model},
       .also_called = "normalization batchnorm bn"},
  };
}

}  // namespace sparsepush
