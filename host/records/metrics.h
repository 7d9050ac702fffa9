// metrics.csv and nodes.csv: what a run measures, in a form that is the same bytes for the same run.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/files/durable_file.h"
#include "host/state/metrics_row.h"

namespace sparsepush {

/// Lists the columns of metrics.csv, without newline. Among a task's `scores` "accuracy" has columns of its own, others
/// stand behind the last one; `counts_syncs` adds the column "syncs".
std::string metrics_header(const std::vector<std::string>& scores = {}, bool counts_syncs = false);
std::string metrics_line(const MetricsRow& row);  ///< numbers as %.9g, NaN as "nan", without newline

/// The columns of nodes.csv.
inline constexpr std::string_view kNodesHeader = "replica,step,node,loss,accuracy";
/// Lists the lines of nodes.csv of one evaluation, a node each, without newline.
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
  /// Waits until everything appended is on disk.
  void sync() { file_.sync(); }

 private:
  OpenFile file_;
};

}  // namespace sparsepush
