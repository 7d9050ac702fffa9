// Numbers as a reader of a table wants them.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "host/tables/results.h"

namespace sparsepush {

/// Returns a mean and its spread: "91.2 ± 0.3" percent, "12.3 MB", "72x". Empty without a mean.
std::string cell_of(const Column& column, const Statistic& statistic, Spread spread);

/// Returns a number that is compared with means of the column, as its cells are written.
std::string bound_of(const Column& column, double bound);

/// Reads the mean that a cell shows: 91.2, 12.3e6 of "12.3 MB", 72. None where the cell says something else.
std::optional<double> value_of_cell(std::string_view cell);

/// Returns whether the column's cells are percents.
bool is_percent(const Column& column);

/// Returns whether deviations that are nothing beside the mean are left out: bytes hardly differ between seeds.
bool may_hide_deviation(const Column& column);

/// Returns the cells of a row, one a column: numbers, or in the first one why there are none.
std::vector<std::string> cells_of(const RowResult& row, const TableSettings& settings);

}  // namespace sparsepush
