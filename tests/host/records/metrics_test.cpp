#include "host/records/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <limits>

#include "data/files/input_error.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

MetricsRow full_row() {
  return {.replica = 2,
          .step = 100,
          .epoch = 3,
          .lr = 0.1,
          .train_loss = 1.0 / 3,
          .test_loss = 2,
          .loss_mean_model = 3,
          .accuracy = ScoreSummary{.mean = 0.5, .min = 0.25, .max = 0.75, .mean_model = 0.625},
          .consensus = 1e-9,
          .u_sum = 8,
          .u_min = 0.9,
          .u_max = 1.1,
          .error_ratio = 12345678901.0,
          .messages = 11,
          .bytes_authors = 12,
          .bytes_coo32 = 13,
          .bytes_wire = 14,
          .bytes_dense = 5'000'000'000};
}

TEST(Metrics, ColumnsStandInTheOrderOfTheHeader) {
  EXPECT_EQ(metrics_header(),
            "replica,step,epoch,lr,train_loss,test_loss,loss_mean_model,accuracy_mean,accuracy_min,accuracy_max,"
            "accuracy_mean_model,consensus,u_sum,u_min,u_max,error_ratio,messages,bytes_authors,bytes_coo32,"
            "bytes_wire,bytes_dense");
  EXPECT_EQ(metrics_line(full_row()),
            "2,100,3,0.1,0.333333333,2,3,0.5,0.25,0.75,0.625,1e-09,8,0.9,1.1,1.23456789e+10,11,12,13,14,5000000000");
}

TEST(Metrics, OtherScoresOfATaskStandBehindTheLastColumn) {
  EXPECT_EQ(metrics_header({"recall", "accuracy", "bleu"}),
            metrics_header() +
                ",recall_mean,recall_min,recall_max,recall_mean_model,bleu_mean,bleu_min,bleu_max,"
                "bleu_mean_model");
  EXPECT_EQ(metrics_header({"accuracy"}), metrics_header());
  EXPECT_EQ(metrics_header({"bleu"}, true), metrics_header() + ",syncs,bleu_mean,bleu_min,bleu_max,bleu_mean_model");
  MetricsRow row = full_row();
  row.other_scores = {{.mean = 0.5, .min = -1, .max = 2, .mean_model = std::nan("")}, {.mean = 7}};
  EXPECT_EQ(metrics_line(row), metrics_line(full_row()) + ",0.5,-1,2,nan,7,0,0,0");
  row.syncs = 15;
  EXPECT_EQ(metrics_line(row), metrics_line(full_row()) + ",15,0.5,-1,2,nan,7,0,0,0");
}

TEST(Metrics, WhatIsUndefinedIsEmpty) {
  EXPECT_EQ(metrics_line({.u_sum = 4, .u_min = 1, .u_max = 1}), "0,0,,,,,,,,,,,4,1,1,,0,0,0,0,0");
}

TEST(Metrics, NumbersAreWrittenAsPrintfDoes) {
  const double largest = std::numeric_limits<double>::max();
  for (const double value : {0.0, -0.0, 1.0, -1.5, 1e9, 123456789.0, 1234567890.0, 1e-4, 1e-5, 0.1, 1e100, 5e-324,
                             largest, 2.0 / 3, 99999999.95, 999999999.5, HUGE_VAL, -HUGE_VAL}) {
    char expected[64];
    std::snprintf(expected, sizeof expected, "0,0,,,,,,,,,,%.9g,0,0,0,,0,0,0,0,0", value);
    EXPECT_EQ(metrics_line({.consensus = value}), expected);
  }
}

TEST(Metrics, EveryNanIsTheSameText) {
  for (const double nan : {std::nan(""), -std::nan("")}) {
    EXPECT_EQ(metrics_line({.train_loss = nan}), "0,0,,,nan,,,,,,,,0,0,0,,0,0,0,0,0");
  }
}

class CsvFileTest : public testing::Test {
 protected:
  /// What `text` becomes when it is opened to keep the lines through `step`.
  std::string kept(const std::string& text, std::int64_t step) const {
    write_file(path_, text);
    { CsvFile file(path_, "replica,step,loss", step); }
    return read_file(path_);
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_ / "metrics.csv";
};

TEST_F(CsvFileTest, StartsAnewWithTheHeader) {
  EXPECT_EQ(kept("whatever was here", -1), "replica,step,loss\n");
  EXPECT_EQ(folder_.files(), 1u);
}

TEST_F(CsvFileTest, AppendsLines) {
  CsvFile file(path_, "step", -1);
  file.append({"1", "2"});
  file.append({});
  file.append({"3"});
  EXPECT_EQ(read_file(path_), "step\n1\n2\n3\n");
  file.sync();
}

TEST_F(CsvFileTest, GoesOnAfterTheLinesThatWereKept) {
  write_file(path_, "step,seconds\n0,0.5\n10,1.5\n20,2");
  CsvFile file(path_, "step,seconds", 10);
  file.append({"20,2.5"});
  EXPECT_EQ(read_file(path_), "step,seconds\n0,0.5\n10,1.5\n20,2.5\n");
}

TEST_F(CsvFileTest, LaterStepsAreCut) {
  const std::string header = "replica,step,loss\n", all = header + "0,0,1\n1,0,1\n0,5,1\n1,5,1\n0,10,1\n1,10,1\n";
  EXPECT_EQ(kept(all, 0), header + "0,0,1\n1,0,1\n");
  EXPECT_EQ(kept(all, 4), header + "0,0,1\n1,0,1\n");
  EXPECT_EQ(kept(all, 5), header + "0,0,1\n1,0,1\n0,5,1\n1,5,1\n");
  EXPECT_EQ(kept(all, 10), all);
  EXPECT_EQ(kept(all, INT64_MAX), all);
}

TEST_F(CsvFileTest, TornLastLinesAreCut) {
  const std::string header = "replica,step,loss\n";
  for (const std::string torn : {"1", "1,0", "1,0,", "1,0,0.123", ""}) {
    EXPECT_EQ(kept(header + "0,0,1\n" + torn, 5), header + "0,0,1\n") << torn;
  }
  for (std::size_t size = 0; size <= header.size(); ++size) EXPECT_EQ(kept(header.substr(0, size), 5), header);
}

TEST_F(CsvFileTest, AMissingFileIsStarted) {
  CsvFile file(path_, "step", 5);
  EXPECT_EQ(read_file(path_), "step\n");
}

TEST_F(CsvFileTest, FilesOfAnotherKindAreRefusedAndStay) {
  for (const std::string text : {"replica,step\n0,0\n", "replica,step,loss\r\n0,0,1\r\n", "replica,step,losses\n", "x",
                                 "replica,step,loss\n0\n", "replica,step,loss\n0,,1\n", "replica,step,loss\n0,1x,1\n",
                                 "replica,step,loss\n\n", "replica,step,loss\n0,99999999999999999999,1\n"}) {
    EXPECT_THROW(kept(text, 5), InputError) << text;
    EXPECT_EQ(read_file(path_), text);
  }
  try {
    kept("replica,step,loss\n0,0,1\n0,one,1\n", 5);
    ADD_FAILURE();
  } catch (const InputError& error) {
    EXPECT_EQ(error.what(), path_ + ":3: expected a number in column \"step\"");
  }
  EXPECT_THROW(CsvFile(folder_.path(), "step", 5), InputError);
}

TEST_F(CsvFileTest, AHeaderNeedsAStepToCutBy) {
  write_file(path_, "time\n");
  EXPECT_THROW(CsvFile(path_, "time", 5), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
