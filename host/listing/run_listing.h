// What `sparsepush list` prints.
#pragma once
#include <string>
#include <vector>

#include "host/listing/run_line.h"

namespace sparsepush {

/// Of all `folders`, those that changed last at the end.
std::vector<RunLine> read_run_lines(const std::vector<FoundFolder>& folders);

/// All columns, with a header.
std::string run_lines_csv(const std::vector<RunLine>& lines);

/// For a terminal: aligned, without version and hash, names with control characters in quotes. Empty without lines.
std::string run_lines_text(const std::vector<RunLine>& lines);

}  // namespace sparsepush
