// Which rows of a table a reference or a claim means: { name = "SGP", "data.skew" = 0.8 }.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "host/tables/points.h"

namespace sparsepush {

/// Rows of this name, if there is one, that have all of these values.
struct RowPattern {
  std::string where = {};
  std::string text = {};  ///< the pattern as messages say it
  std::string name = {};
  std::vector<std::pair<const Field*, std::string>> values = {};  ///< keys with values, as CSV files have them

  bool names(const Field& field) const;
};

/// Reads `node`, which stands at `where`: a table, or a point's name where `may_be_name`. Throws InputError.
RowPattern read_row_pattern(const toml::node& node, const Origins& origins, const std::string& where, bool may_be_name);

/// Returns whether the row is called and set as the pattern says.
bool matches(const RowPattern& pattern, const Row& row, const std::vector<TablePoint>& points);

/// Says why `pattern` matches none of `rows`, and what there is instead: "rows are called "SGP", "Sparse-Push"".
std::string why_no_row(const RowPattern& pattern, const std::vector<Row>& rows, const std::vector<TablePoint>& points);

/// Returns whether two rows have the same values of all keys of the grid that count for both and that `pattern` does
/// not name.
bool agree(const Row& a, const Row& b, const std::vector<SweptKey>& grid, const RowPattern& pattern);

}  // namespace sparsepush
