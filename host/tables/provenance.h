// What a table's numbers are, and what they were made with, in words.
#pragma once
#include <string>
#include <vector>

#include "host/tables/results.h"

namespace sparsepush {

/// Lists a line a column, then n and what stands behind means, then version, device, seconds and dates of the training.
std::vector<std::string> notes_of(const TableFile& file, const std::vector<PointState>& states, const Results& results);

}  // namespace sparsepush
