// What rows are called, and which of them belong together.
#pragma once
#include <string>
#include <vector>

#include "host/config/config_fields.h"
#include "host/reports/report_rows.h"

namespace sparsepush {

/// Keys that change results and in which rows differ, where they count; without seeds and replicas.
std::vector<const Field*> keys_that_differ(const std::vector<ReportRow>& rows);

/// Labels all rows, each differently: the names of points, else method and the keys that differ, else folders.
void set_labels(std::vector<ReportRow>& rows);

/// Whether the keys of [topology] count.
bool has_topology(const Config& config);

/// Rows with the same data, partition, topology and nodes: they share charts.
struct RowPanel {
  std::string title = {};
  std::vector<const ReportRow*> rows = {};
};

/// Rows whose method has no topology stand in every panel of their data and nodes.
std::vector<RowPanel> make_panels(const std::vector<ReportRow>& rows);

/// Gives rows of one method in one panel dashes that tell them apart, in print and for every eye.
void set_dashes(std::vector<ReportRow>& rows, const std::vector<RowPanel>& panels);

}  // namespace sparsepush
