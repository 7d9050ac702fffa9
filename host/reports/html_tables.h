// The tables of a report's page.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "host/reports/report_rows.h"
#include "host/reports/report_table.h"

namespace sparsepush {

struct HtmlCell {
  std::string text = {};
  std::optional<double> value = {};  ///< number to sort by; without it the text counts
};

/// Returns a table that the page's script sorts by columns.
std::string html_table(const std::vector<std::string>& head, const std::vector<std::vector<HtmlCell>>& rows);

/// Returns the table of what every row ended with.
std::string results_table(const std::vector<ReportRow>& rows);

/// Returns the table that table.md shows.
std::string rows_of_table(const ReportTable& table);
/// Returns the table of what claims.csv says.
std::string claims_of_table(const ReportTable& table);

/// Returns the table of the keys in which rows differ, with their values. Empty where they differ in none.
std::string settings_table(const std::vector<ReportRow>& rows);

/// Lists each run's folder, status, version, device, seconds and configuration, folded.
std::string runs_list(const std::vector<ReportRow>& rows);

}  // namespace sparsepush
