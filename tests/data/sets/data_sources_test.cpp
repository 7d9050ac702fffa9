#include "data/sets/data_sources.h"

#include <gtest/gtest.h>

#include <string_view>

#include "data/table.h"

namespace sparsepush {
namespace {

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

}  // namespace
}  // namespace sparsepush
