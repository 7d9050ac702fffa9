// The rows of a report: what its charts draw as one line each.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "host/reports/figure.h"
#include "host/reports/report_run.h"

namespace sparsepush {

/// A column of metrics.csv, over the evaluations that a row has.
struct RowColumn {
  std::vector<double> mean = {};  ///< over replicas; NaN where one has no number
  std::vector<double> sd = {};    ///< with n - 1; empty for one replica
};

/// A run, or several that differ in their seeds only, as means over all of their replicas.
struct ReportRow {
  LineStyle style = {};
  std::string method = {};
  std::string point = {};                   ///< name of a point in the table's files; empty: it is none
  std::vector<const ReportRun*> runs = {};  ///< at least one
  std::vector<std::int64_t> step = {};      ///< evaluations that every replica has
  std::size_t trained = 0;                  ///< place in `step` of the last one before final rounds
  std::map<std::string, RowColumn> columns = {};

  const Config& config() const { return runs.front()->config; }
  int replicas() const;
  /// Returns whether the row counts epochs whose length is not known.
  bool has_open_epochs() const { return has("epoch") && !has("epochs"); }
  bool has_final_rounds() const { return trained + 1 < step.size(); }
  /// Returns whether a column has any finite number.
  bool has(const std::string& column) const;
  const std::vector<double>& mean(const std::string& column) const { return columns.at(column).mean; }
  /// Returns the mean at the last evaluation; NaN if there is none.
  double last(const std::string& column) const;
};

/// Lists the columns that a report draws or lists; "epochs" is `epoch` with the part of an epoch that steps tell.
const std::vector<std::string>& row_columns();

/// Makes rows in the order of their first runs, labelled and coloured by method. `runs` must outlive them.
std::vector<ReportRow> make_report_rows(const std::vector<ReportRun>& runs);

/// Leaves at most `most` evaluations of each column.
void thin(ReportRow& row, std::size_t most);

}  // namespace sparsepush
