// What a report draws, as numbers for its script.
#pragma once
#include <string>
#include <vector>

#include "host/reports/report_rows.h"

namespace sparsepush {

/// Returns a list of {label, method, colour, folders, step, <column>: [means], <column>_sd: [...]}, without columns
/// that have no numbers. Nothing in it ends a <script>.
std::string rows_json(const std::vector<const ReportRow*>& rows);

}  // namespace sparsepush
