// Numbers as a reader of a table wants them.
#pragma once
#include <string>

#include "host/tables/results.h"

namespace sparsepush {

/// A mean and what stands behind it: "91.2 ± 0.3" percent, "12.3 MB", "72x". Empty without a mean.
std::string cell_of(const Column& column, const Statistic& statistic, Spread spread);

/// A number that is compared with means of the column.
std::string bound_of(const Column& column, double bound);

/// Whether its cells are percents.
bool is_percent(const Column& column);

/// Whether deviations that are nothing beside the mean are left out: bytes hardly differ between seeds.
bool may_hide_deviation(const Column& column);

/// The cells of a row, one a column: numbers, or in the first one why there are none.
std::vector<std::string> cells_of(const RowResult& row, const TableSettings& settings);

}  // namespace sparsepush
