// The text of `sparsepush methods`.
#include "host/descriptions/describe_methods.h"

#include <gtest/gtest.h>

#include "host/recipe/methods.h"
#include "models/models.h"
#include "tests/host/descriptions/table_lines.h"

namespace sparsepush {
namespace {

class DescribeMethods : public ::testing::Test {
 protected:
  std::string row_of(const std::string& word) const { return table_line(text_, word); }
  bool says(const std::string& line) const { return text_.find(line + "\n") != std::string::npos; }

  const std::string text_ = describe_methods(TextForm::kMarkdown);
};

TEST_F(DescribeMethods, EveryMethodAndEveryModelHasARow) {
  for (const Method& method : methods()) EXPECT_NE(row_of(method.name), "") << method.name;
  for (const Model& model : models()) EXPECT_NE(row_of(std::string(model.name)), "") << model.name;
}

TEST_F(DescribeMethods, MessagesCompressorsAndRatesAreThoseOfTheRow) {
  EXPECT_EQ(row_of("none"), "| `none` | - | - | - | - | all | `cpu`, `cuda` |");
  EXPECT_EQ(row_of("sgp"), "| `sgp` | x, u as sent | - | 1 | - | all | `cpu`, `cuda` |");
  EXPECT_EQ(
      row_of("scsp"),
      "| `scsp` | Q, u as sent; in final rounds x, u as sent | `top_k`, `identity`, `random_k`, `qsgd`, `sign`, "
      "`low_rank` | `keep` with `top_k`, 1 with `identity`, `keep` with `random_k`, to be set with `qsgd`, to be set "
      "with `sign`, to be set with `low_rank` | - | all | `cpu`, `cuda` |");
  EXPECT_TRUE(row_of("quantized_push_sum")
                  .starts_with("| `quantized_push_sum` | Q, u as sent | `identity`, `qsgd` | - | the same edges in "
                               "every round | "));
}

TEST_F(DescribeMethods, TopologiesAreThoseOnWhichAMethodRuns) {
  EXPECT_NE(row_of("choco").find(" | the same edges in every round | `directed_ring`, `complete`, `exponential`, "
                                 "`random_out` (degree=1), `random_out` (degree=2), `ring`, "),
            std::string::npos)
      << row_of("choco");
  EXPECT_NE(row_of("d_psgd").find(" | doubly stochastic weights | `directed_ring`, `complete`, `exponential`, "
                                  "`one_peer_exponential`, `random_out` (degree=1), `random_out` (degree=1, "
                                  "redraw=true), `ring`, "),
            std::string::npos)
      << row_of("d_psgd");
  for (const char* method : {"choco", "d_psgd"})
    EXPECT_NE(row_of(method).find(", `file` with what is needed | "), std::string::npos) << row_of(method);
  EXPECT_NE(row_of("d_psgd").find("`star` (weights=metropolis), "), std::string::npos);
  EXPECT_EQ(row_of("d_psgd").find("`star`, "), std::string::npos);
}

TEST_F(DescribeMethods, WhatIsRefusedIsSaidAsTheProgramSaysIt) {
  EXPECT_TRUE(
      says("| `choco` | `random_out` (degree=1, redraw=true), `random_out` (degree=2, redraw=true) | "
           "algorithm.name: choco needs the same edges in every round; random_out is drawn anew in each |"));
  EXPECT_TRUE(
      says("| `choco` | `one_peer_exponential` | algorithm.name: choco needs the same edges in every round; "
           "one_peer_exponential has 3 rounds |"));
}

TEST_F(DescribeMethods, EveryModelRunsOnBothBackends) {
  for (const Model& model : models()) {
    const std::string row = row_of(std::string(model.name));
    EXPECT_TRUE(row.ends_with("| `cpu`, `cuda` |")) << row;
  }
}

}  // namespace
}  // namespace sparsepush
