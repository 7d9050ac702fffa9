#include "host/tables/pace.h"

#include <gtest/gtest.h>

namespace sparsepush {
namespace {

TEST(Pace, TellsStepsAndTestsApart) {
  Pace pace;
  const Config config;
  pace.note(config, 1, {.step = 0, .testing = 0.5}, {.step = 0}, 100);  // of one node
  pace.note(config, 1, {.step = 0}, {.step = 10}, 20);
  pace.note(config, 1, {.step = 10}, {.step = 10, .testing = 0.0}, 0);
  pace.note(config, 1, {.step = 10, .testing = 0.0}, {.step = 10, .testing = 0.5}, 3);
  pace.note(config, 1, {.step = 10, .testing = 0.5}, {.step = 10}, 4);
  EXPECT_EQ(pace.seconds(config, 5, 0), 10);
  EXPECT_EQ(pace.seconds(config, 5, 2), 10 + 14);
}

TEST(Pace, IsKnownOfWhatWasMeasured) {
  Pace pace;
  const Config config;
  Config other;
  other.run.nodes = 64;
  pace.note(config, 1, {.step = 0}, {.step = 1}, 1);
  EXPECT_EQ(pace.seconds(other, 5, 2), std::nullopt);
  other = config;
  other.algorithm.keep = 0.5;
  EXPECT_EQ(pace.seconds(other, 5, 0), 5);
}

TEST(Pace, CountsReplicas) {
  Pace pace;
  Config config;
  config.run.replicas = 2;
  pace.note(config, 6, {.step = 0}, {.step = 10}, 30);
  pace.note(config, 6, {.step = 10, .testing = 0.0}, {.step = 10}, 12);
  EXPECT_EQ(pace.seconds(config, 4, 0), 4);
  EXPECT_EQ(pace.seconds(config, 4, 1), 4 + 4);
}

}  // namespace
}  // namespace sparsepush
