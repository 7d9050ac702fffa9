// Which rows of a report share charts.
#pragma once
#include <string>
#include <vector>

#include "host/reports/report_rows.h"

namespace sparsepush {

/// Returns whether the keys of [topology] count.
bool has_topology(const Config& config);

/// Rows with the same data, partition, topology and nodes: they share charts.
struct RowPanel {
  std::string title = {};
  std::vector<const ReportRow*> rows = {};
};

/// Sorts rows into panels. Rows whose method has no topology stand in every panel of their data and nodes.
std::vector<RowPanel> make_panels(const std::vector<ReportRow>& rows);

/// Gives rows of one method in one panel dashes that tell them apart, in print and for every eye.
void set_dashes(std::vector<ReportRow>& rows, const std::vector<RowPanel>& panels);

}  // namespace sparsepush
