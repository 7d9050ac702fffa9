#include "host/tables/columns.h"

#include <gtest/gtest.h>

#include <limits>

#include "data/files/input_error.h"

namespace sparsepush {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Steps 0 to 30, and final rounds up to 35.
ReplicaMetrics replica() {
  return {.columns = {"step", "accuracy_mean", "accuracy_mean_model", "test_loss", "bytes_wire", "train_loss"},
          .rows = {{0, 0.1, 0.2, 2.0, 0, kNan},
                   {10, 0.6, 0.5, 1.0, 100, 0.9},
                   {20, 0.8, 0.7, 0.5, 200, 0.7},
                   {30, 0.8, 0.9, 0.4, 300, 0.5},
                   {35, 0.7, 0.7, 0.6, 800, 0.3}}};
}

constexpr std::int64_t kSgdSteps = 30;

std::optional<double> number(const std::string& text, const Reading& reading = {},
                             const ReplicaMetrics& metrics = replica()) {
  return value_of(parse_column(text, "a.toml:1"), reading, metrics, kSgdSteps);
}

TEST(Column, IsAMetricAWhenAndARelation) {
  const Column column = parse_column("bytes_wire@last12:ratio", "a.toml:1");
  EXPECT_EQ(column.metric, "bytes_wire");
  EXPECT_EQ(column.when, When::kMean);
  EXPECT_EQ(column.rows, 12);
  EXPECT_EQ(column.relation, Relation::kRatio);
  EXPECT_EQ(parse_column("seconds", "").when, When::kLast);
  EXPECT_EQ(parse_column("seconds@last:gap", "").relation, Relation::kGap);
}

TEST(Column, WhatIsNoneIsRefusedWithItsLine) {
  for (const char* text : {"", "@last", "a@", "a@first", "a@last1", "a@last0", "a@last-3", "a@last2x", "a@lastx",
                           "a:", "a:difference", "a:gap@last", "a@last@best", "step@full"}) {
    try {
      parse_column(text, "a.toml:7");
      ADD_FAILURE() << text;
    } catch (const InputError& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("a.toml:7: ")) << error.what();
    }
  }
}

TEST(Value, IsThatOfTheRowThatIsNamed) {
  EXPECT_EQ(number("accuracy_mean"), 0.7);
  EXPECT_EQ(number("accuracy_mean@trained"), 0.8);
  EXPECT_EQ(number("test_loss@best"), 0.5);  // the earliest of several
  EXPECT_EQ(number("step@best"), 20);
  EXPECT_EQ(number("bytes_wire@last2"), 250);  // of steps 20 and 30: final rounds are no part of training
  EXPECT_DOUBLE_EQ(*number("accuracy_mean@last3"), (0.6 + 0.8 + 0.8) / 3);
}

TEST(Value, IsEmptyWhereTheFileIs) {
  EXPECT_EQ(number("train_loss@last4"), std::nullopt);
  EXPECT_EQ(number("train_loss@last3"), (0.9 + 0.7 + 0.5) / 3);
  EXPECT_EQ(number("test_loss@last5"), std::nullopt);  // four rows up to T
  EXPECT_EQ(number("syncs"), std::nullopt);
}

TEST(Value, BestIsTheLowestLossWhereThereIsNoAccuracy) {
  ReplicaMetrics metrics = replica();
  for (auto& row : metrics.rows) row[1] = kNan;
  EXPECT_EQ(number("step@best", {}, metrics), 30);
}

TEST(Value, ReachIsTheFirstRowOfAtLeastThat) {
  EXPECT_EQ(number("step@reach", {.reach = 0.6}), 10);
  EXPECT_EQ(number("bytes_wire@reach", {.reach = 0.6, .reach_of = "accuracy_mean_model"}), 200);
  EXPECT_EQ(number("step@reach", {.reach = 0.95}), std::nullopt);
}

TEST(Value, FullScalesTrainingAndAddsTheFinalRounds) {
  EXPECT_EQ(number("bytes_wire@full", {.full_steps = 300}), 3000 + 500);
}

TEST(Relation, IsToTheReference) {
  EXPECT_EQ(related(Relation::kGap, 0.9, 0.4), 0.5);
  EXPECT_EQ(related(Relation::kRatio, 300.0, 4.0), 75.0);
  EXPECT_EQ(related(Relation::kRatio, 300.0, 0.0), std::nullopt);
  EXPECT_EQ(related(Relation::kGap, std::nullopt, 0.4), std::nullopt);
  EXPECT_EQ(related(Relation::kGap, 0.9, std::nullopt), std::nullopt);
}

TEST(Relation, ARatioAtTheEndIsToWhatTheReferenceTookToTrain) {
  const auto when = [](const std::string& text) { return of_reference(parse_column(text, "")).when; };
  EXPECT_EQ(when("bytes_wire:ratio"), When::kTrained);
  EXPECT_EQ(when("bytes_wire:gap"), When::kLast);
  EXPECT_EQ(when("bytes_wire@best:ratio"), When::kBest);
  EXPECT_EQ(when("bytes_wire@full:ratio"), When::kFull);
}

}  // namespace
}  // namespace sparsepush
