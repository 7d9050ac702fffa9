// The text of `sparsepush keys`.
#include "host/descriptions/describe_keys.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "host/config/config_fields.h"
#include "tests/host/descriptions/table_lines.h"

namespace sparsepush {
namespace {

std::string row_of(const std::string& key) { return table_line(describe_keys(TextForm::kMarkdown), key); }

TEST(DescribeKeys, EveryKeyHasARowAndAMeaningThatFitsIntoIt) {
  const std::string text = describe_keys(TextForm::kMarkdown);
  EXPECT_EQ(std::ranges::count(text, '\n'), std::ssize(config_fields()) + 2);
  for (const Field& field : config_fields()) {
    EXPECT_FALSE(field.meaning.empty()) << field.name();
    EXPECT_EQ(field.meaning.find_first_of("\n|"), std::string_view::npos) << field.name();
    EXPECT_FALSE(field.meaning.ends_with('.')) << field.name();
    EXPECT_NE(row_of(field.name()), "") << field.name();
  }
}

TEST(DescribeKeys, ValuesAreOfTheTypeOfTheMemberWithinItsRange) {
  EXPECT_TRUE(row_of("run.verify").starts_with("| `run.verify` | `true` or `false` | `false` | "));
  EXPECT_TRUE(row_of("run.seed").starts_with("| `run.seed` | integer, 0 or more | `1` | "));
  EXPECT_TRUE(row_of("run.threads").starts_with("| `run.threads` | integer, 0 to 4096 | `0` | "));
  EXPECT_TRUE(row_of("run.steps").starts_with("| `run.steps` | integer, 0 to 1e12 | `0` | "));
  EXPECT_TRUE(row_of("model.hidden").starts_with("| `model.hidden` | list of integers, 1 to 1e6 | `[64]` | "));
  EXPECT_TRUE(row_of("optimizer.momentum").starts_with("| `optimizer.momentum` | number, 0 to 1, not 1 | `0.9` | "));
  EXPECT_TRUE(row_of("algorithm.keep").starts_with("| `algorithm.keep` | number, 0 to 1, not 0 | `0.01` | "));
  EXPECT_TRUE(row_of("data.alpha").starts_with("| `data.alpha` | number, 1e-300 to 1e6 | `1.0` | "));
  EXPECT_TRUE(row_of("run.backend").starts_with("| `run.backend` | `auto`, `cpu` or `cuda` | `\"auto\"` | "));
  EXPECT_TRUE(row_of("topology.file").starts_with("| `topology.file` | path of a file | `\"\"` | "));
  EXPECT_TRUE(row_of("data.path").starts_with("| `data.path` | path of a folder | `\"data/NAME\"` | "));
  EXPECT_TRUE(row_of("algorithm.final_rounds")
                  .starts_with("| `algorithm.final_rounds` | integer, 1 to 1e12; or `auto` | `50` | "));
  EXPECT_TRUE(row_of("algorithm.threshold")
                  .starts_with("| `algorithm.threshold` | number, 0 to 1e12; or `auto` | `\"auto\"` | "));
}

TEST(DescribeKeys, TheDefaultAveragingRateIsNotANumber) {
  EXPECT_NE(row_of("algorithm.averaging_rate")
                .find("| as method and compressor say: `keep`, 0.5 or 1; else it has to be set |"),
            std::string::npos);
}

TEST(DescribeKeys, RulesNameTheValuesWithTheKeyOrTheFewerWithout) {
  const auto ends = [](const std::string& key, const std::string& end) {
    EXPECT_TRUE(row_of(key).ends_with(" | " + end + " |")) << row_of(key);
  };
  ends("run.nodes", "");
  ends(
      "algorithm.local_steps",
      "not where `algorithm.name` is `all_reduce`, `fda`, `gradient_tracking`, `push_gradient_tracking` or `d2`: there "
      "another value is refused");
  ends("algorithm.final_rounds", "only where `algorithm.name` is `scsp`: elsewhere another value is refused");
  ends("data.file", "only where `data.name` is `file` or `quadratic`");
  ends("data.batch", "not where `data.name` is `quadratic`");
  ends("model.hidden", "only where `model.name` is `mlp`; not where `data.name` is `quadratic`");
  ends("algorithm.averaging_rate",
       "not where `algorithm.name` is `none`, `quantized_push_sum`, `all_reduce`, `local_sgd`, `fda` or "
       "`shared_block`");
  ends("algorithm.final_statistics", "only where `algorithm.name` is `scsp`; only where `model.norm` is `batch`");
}

}  // namespace
}  // namespace sparsepush
