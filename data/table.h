// Tables: lists of rows of plain data, looked up by name. A row stands in the file of the thing that it describes.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "data/files/input_error.h"

namespace sparsepush {

/// Lists the names of the rows, in their order.
template <class Row>
std::vector<std::string_view> names_of(const std::vector<Row>& table) {
  std::vector<std::string_view> names;
  for (const Row& row : table) names.push_back(row.name);
  return names;
}

/// Lists the names of the rows whose member `keys` lists `key`.
template <class Row>
std::vector<std::string_view> names_with_key(const std::vector<Row>& table, std::string_view key) {
  std::vector<std::string_view> names;
  for (const Row& row : table)
    if (std::ranges::find(row.keys, key) != row.keys.end()) names.push_back(row.name);
  return names;
}

/// Returns the row called `name`. Throws InputError about `key`, such as "model.name", where there is none.
template <class Row>
const Row& row_named(const std::vector<Row>& table, std::string_view key, std::string_view name) {
  for (const Row& row : table)
    if (row.name == name) return row;
  throw InputError("{}: expected {}{}; got \"{}\"", key, table.size() > 1 ? "one of " : "",
                   fmt::join(names_of(table), ", "), name);
}

}  // namespace sparsepush
