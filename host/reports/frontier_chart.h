// Accuracy against bytes: which rows are on the frontier.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "host/reports/figure.h"
#include "host/reports/report_table.h"
#include "host/reports/row_panels.h"

namespace sparsepush {

/// Draws a point a row, with references and the claims of `tables` that are about accuracy or bytes. None where no row
/// has both an accuracy and bytes.
std::optional<Figure> frontier_chart(const RowPanel& panel, const std::vector<ReportTable>& tables,
                                     const std::string& prefix);

}  // namespace sparsepush
