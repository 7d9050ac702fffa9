// What a report draws, as numbers for its script.
#pragma once
#include <string>
#include <vector>

#include "host/reports/report_rows.h"

namespace sparsepush {

/// A list of {label, method, colour, folders, step, <column>: [means], <column>_sd: [...]}, of which columns without
/// numbers are left out. Nothing in it ends a <script>.
std::string rows_json(const std::vector<const ReportRow*>& rows);

}  // namespace sparsepush
