// What `sparsepush list` prints.
#pragma once
#include <string>
#include <vector>

#include "host/listing/run_line.h"

namespace sparsepush {

/// Reads the lines of all `folders`; those that changed last come at the end.
std::vector<RunLine> read_run_lines(const std::vector<FoundFolder>& folders);

/// Returns all columns as CSV, with a header.
std::string run_lines_csv(const std::vector<RunLine>& lines);

/// Returns the lines for a terminal: aligned, without version and hash, names with control characters in quotes. Empty
/// without lines.
std::string run_lines_text(const std::vector<RunLine>& lines);

}  // namespace sparsepush
