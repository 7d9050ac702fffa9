// The tables behind the names in a configuration.
#include <gtest/gtest.h>

#include "data/sets/data_sources.h"
#include "data/table.h"
#include "host/state/experiment.h"
#include "models/models.h"
#include "models/norms.h"
#include "tests/data/error_of.h"

namespace sparsepush {
namespace {

/// What preparing an experiment ends with, of a configuration that no file was checked for.
template <class Change>
std::string error_after(Change change) {
  Config config;
  change(config);
  return error_of([&] { Experiment(config).prepare_data(); });
}

TEST(ConfigTables, AnUnknownNameIsAnErrorEverywhere) {
  EXPECT_EQ(error_after([](Config&) {}), "");
  EXPECT_EQ(
      error_after([](Config& c) { c.data.name = "digit"; }),
      "data.name: expected one of digits, cifar10, cifar100, mnist, fashion_mnist, synthetic, file, quadratic; got "
      "\"digit\"");
  EXPECT_EQ(error_after([](Config& c) { c.data.partition = "idd"; }),
            "data.partition: expected one of iid, skew, dirichlet, quantity, shards, file; got \"idd\"");
  EXPECT_EQ(error_after([](Config& c) { c.model.name = "MLP"; }),
            "model.name: expected one of softmax, mlp, lenet5, resnet20, vgg11; got \"MLP\"");
  EXPECT_EQ(error_after([](Config& c) { c.model.norm = ""; }),
            "model.norm: expected one of none, batch, group, evonorm; got \"\"");
}

TEST(DataSources, KnowTheirSizeBeforeTheyAreLoaded) {
  DataConfig config;
  config.samples = 100;
  config.features = 7;
  for (const std::string_view name : {"digits", "synthetic"}) {
    const DataSource& source = row_named(data_sources(), "data.name", name);
    const Dataset set = source.load(config);
    const Dataset outline = source.outline(config);
    EXPECT_EQ(outline.train.count, set.train.count) << name;
    EXPECT_EQ(outline.test.count, set.test.count) << name;
    EXPECT_EQ(outline.features, set.features) << name;
    EXPECT_EQ(outline.image, set.image) << name;
    EXPECT_EQ(outline.classes, set.classes) << name;
    EXPECT_TRUE(outline.train.bytes.empty() && outline.train.label.empty() && outline.test.label.empty());
    EXPECT_EQ(source.name, set.name);
    EXPECT_EQ(outline.name, set.name);
    EXPECT_TRUE(!source.train_labels || source.train_labels(config) == set.train.label) << name;
  }
}

TEST(Models, SayWhatLayersTheirNetworksHave) {
  Dataset images{.name = "images", .features = 32 * 32, .image = {.height = 32, .width = 32}, .classes = 3};
  for (const Model& model : models())
    for (const NormKind& norm : norms()) {
      if (!model.has_image_layers && norm.norm != Norm::kNone) continue;
      ModelConfig config;
      config.name = model.name;
      config.norm = norm.name;
      const Network network = make_network(config, images, 2);
      EXPECT_EQ(has_image_layers(network), model.has_image_layers) << model.name;
      EXPECT_EQ(network.statistics > 0, norm.has_statistics) << model.name << " " << norm.name;
    }
}

}  // namespace
}  // namespace sparsepush
