// metrics.csv and nodes.csv: what a run measures, in a form that is the same bytes for the same run.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/files/durable_file.h"

namespace sparsepush {

/// The score of a task that has columns of its own.
inline constexpr std::string_view kAccuracy = "accuracy";

/// A score of the tested nodes of a replica, and of their mean model.
struct ScoreSummary {
  double mean = 0, min = 0, max = 0, mean_model = 0;
};

/// The scores of one tested node.
struct NodeScores {
  int node = 0;
  double loss = 0;
  std::optional<double> accuracy = {};  ///< none where the task has no such score
};

/// One line per replica and evaluation; empty where undefined. Accuracies are fractions in [0, 1].
struct MetricsRow {
  int replica = 0;
  std::int64_t step = 0;  ///< SGD steps and final rounds done
  std::optional<std::int64_t> epoch = {};
  std::optional<double> lr = {};
  std::optional<double> train_loss = {}, test_loss = {}, loss_mean_model = {};
  std::optional<ScoreSummary> accuracy = {};  ///< none where the task has no such score
  std::optional<double> consensus = {};       ///< none if the mean model is 0
  double u_sum = 0, u_min = 0, u_max = 0;
  std::optional<double> error_ratio = {};
  std::int64_t messages = 0;  ///< cumulative, as the bytes
  std::int64_t bytes_authors = 0, bytes_coo32 = 0, bytes_wire = 0, bytes_dense = 0;
  std::optional<std::int64_t> syncs = {};       ///< cumulative; a column of methods that decide themselves when
  std::vector<ScoreSummary> other_scores = {};  ///< of the task, in its order
  std::vector<NodeScores> nodes = {};           ///< of every tested node; lines of nodes.csv
};

/// The columns, without newline. Of a task's `scores` "accuracy" has its own, others stand behind the last one.
std::string metrics_header(const std::vector<std::string>& scores = {}, bool counts_syncs = false);
std::string metrics_line(const MetricsRow& row);  ///< %.9g, NaN as "nan", without newline

/// The columns of nodes.csv, and its lines of one evaluation, a node each.
inline constexpr std::string_view kNodesHeader = "replica,step,node,loss,accuracy";
std::vector<std::string> node_lines(const MetricsRow& row);

/// A CSV file that grows line by line. Throws std::runtime_error naming the file when the disk is full.
class CsvFile {
 public:
  /// Starts `path` anew with `header`, or, with `keep_through_step` >= 0, keeps the existing file's complete lines
  /// whose column `step` is at most that and cuts the rest. A file with another header or a line without step is an
  /// InputError, and so is one whose lines end before `expected_step`; it is left as it is.
  CsvFile(const std::string& path, const std::string& header, std::int64_t keep_through_step,
          std::int64_t expected_step = -1);

  /// Appends complete lines with one write.
  void append(const std::vector<std::string>& lines);
  /// Returns when everything appended is on disk.
  void sync() { file_.sync(); }

 private:
  OpenFile file_;
};

}  // namespace sparsepush
