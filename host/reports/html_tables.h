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
  std::optional<double> value = {};  ///< by which it is sorted; else by the text
};

/// The page's script sorts it by columns.
std::string html_table(const std::vector<std::string>& head, const std::vector<std::vector<HtmlCell>>& rows);

/// What every row ended with.
std::string results_table(const std::vector<ReportRow>& rows);

/// What table.md shows, and claims.csv.
std::string rows_of_table(const ReportTable& table);
std::string claims_of_table(const ReportTable& table);

/// The keys in which rows differ, with their values. Empty where they differ in none.
std::string settings_table(const std::vector<ReportRow>& rows);

/// Each run's folder, status, version, device, seconds and configuration, folded.
std::string runs_list(const std::vector<ReportRow>& rows);

}  // namespace sparsepush
