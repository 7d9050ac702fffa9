// Where things stand in a table that is to be read, whatever it is written in.
#pragma once
#include <string>
#include <vector>

#include "host/tables/results.h"

namespace sparsepush {

/// Texts as they are, not escaped. A row is its stub, then for each group a cell a column.
struct TableLayout {
  std::vector<std::string> stub = {};     ///< heads of the columns that tell rows apart
  std::vector<std::string> groups = {};   ///< heads of the groups; one that is empty where nothing stands across
  std::vector<std::string> columns = {};  ///< heads of the columns of each group
  std::vector<std::vector<std::string>> rows = {};  ///< [rows][stub + groups * columns]
};

/// Lays out the table: rows that differ only in the key that stands across share a line.
TableLayout layout_of(const TableFile& file, const Results& results);

/// The claims, as a table: a head and its rows.
struct ClaimTable {
  std::vector<std::string> head = {};
  std::vector<std::vector<std::string>> rows = {};
};
/// Lists the claims with their verdicts, a row for each row of the table that a claim is about.
ClaimTable claim_table(const TableFile& file, const Results& results);

}  // namespace sparsepush
