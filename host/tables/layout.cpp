#include "host/tables/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "host/tables/cells.h"
#include "host/tables/table_csv.h"
#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

/// Which keys of the grid have a column, and which stands across.
struct Keys {
  std::vector<std::size_t> stub;
  std::optional<std::size_t> across;
};

Keys keys_of(const TableFile& file) {
  Keys keys;
  const bool methods_are_names =
      std::ranges::all_of(file.sweep.points, [](const NamedPoint& point) { return point.name.empty(); });
  for (std::size_t k = 0; k < file.sweep.grid.size(); ++k) {
    const Field& field = *file.sweep.grid[k].field;
    if (field.name() == file.settings.across)
      keys.across = k;
    else if (!is_repetition(field) && !(methods_are_names && field.name() == "algorithm.name"))
      keys.stub.push_back(k);
  }
  return keys;
}

std::string key_label(const TableFile& file, std::size_t key) {
  const std::string name = file.sweep.grid[key].field->name();
  return file.label(name, name);
}

std::string value_label(const TableFile& file, std::size_t key, const std::optional<std::string>& value) {
  return value ? file.label(file.sweep.grid[key].field->name() + "=" + *value, *value) : "";
}

/// Lists the values that stand across, in the order of the rows.
std::vector<std::string> values_across(const TableFile& file, std::size_t key) {
  std::vector<std::string> values;
  for (const Row& row : file.rows)
    if (row.values[key] && std::ranges::find(values, *row.values[key]) == values.end())
      values.push_back(*row.values[key]);
  return values;
}

std::string group_label(const TableFile& file, std::size_t key, const std::string& value) {
  return file.label(file.sweep.grid[key].field->name() + "=" + value, key_label(file, key) + " = " + value);
}

std::string column_label(const TableFile& file, const Column& column) {
  return file.label(column.text, column.text + (is_percent(column) ? ", %" : ""));
}

std::string relation_words(const Claim& claim) {
  const std::string bound = bound_of(claim.column, claim.bound);
  const std::string words = claim.relation == Bound::kAtMost    ? "at most "
                            : claim.relation == Bound::kAtLeast ? "at least "
                                                                : "near ";
  return words + bound + (claim.tolerance > 0 ? fmt::format(", ± {}", bound_of(claim.column, claim.tolerance)) : "");
}

}  // namespace

TableLayout layout_of(const TableFile& file, const Results& results) {
  const Keys keys = keys_of(file);
  TableLayout layout{.stub = {"method"}};
  for (const std::size_t k : keys.stub) layout.stub.push_back(key_label(file, k));
  const std::vector<std::string> across =
      keys.across ? values_across(file, *keys.across) : std::vector<std::string>{""};
  for (const std::string& value : across)
    layout.groups.push_back(keys.across ? group_label(file, *keys.across, value) : "");
  for (const Column& column : file.settings.columns) layout.columns.push_back(column_label(file, column));

  const std::size_t columns = layout.columns.size();
  std::map<GridValues, std::size_t> of_values;  // labels may be the same
  for (std::size_t r = 0; r < file.rows.size(); ++r) {
    const Row& row = file.rows[r];
    std::vector<std::string> stub{row.series.front()};
    GridValues values{stub.front()};
    for (const std::size_t k : keys.stub) {
      stub.push_back(value_label(file, k, row.values[k]));
      values.push_back(row.values[k]);
    }
    const auto [known, is_new] = of_values.try_emplace(values, layout.rows.size());
    if (is_new) {
      layout.rows.push_back(stub);
      layout.rows.back().resize(stub.size() + across.size() * columns);
    }
    const std::vector<std::string> cells = cells_of(results.rows()[r], file.settings);
    for (std::size_t g = 0; g < across.size(); ++g) {
      // What stands across may not count for a row: then it is the same in every group.
      const bool belongs = !keys.across || !row.values[*keys.across] || row.values[*keys.across] == across[g];
      if (!belongs) continue;
      const auto place = layout.rows[known->second].begin() + static_cast<std::ptrdiff_t>(stub.size() + g * columns);
      CHECK(place->empty(), "two rows at one place of the table: ", row.name);
      std::ranges::copy(cells, place);
    }
  }
  return layout;
}

ClaimTable claim_table(const TableFile& file, const Results& results) {
  ClaimTable table{.head = {"claim", "row", "metric", "value", "claimed", "verdict", "clear", "source"}};
  for (const ClaimResult& result : results.claims()) {
    const Claim& claim = file.claims[result.claim];
    const std::string metric = claim.column.text + (is_percent(claim.column) ? ", %" : "");
    table.rows.push_back({claim.name, file.rows[result.row].name, metric,
                          cell_of(claim.column, result.value, file.settings.spread), relation_words(claim),
                          word_of(result.verdict) + (claim.judged ? "" : " (not judged)"),
                          !result.clear   ? ""
                          : *result.clear ? "yes"
                                          : "no",
                          claim.source});
  }
  return table;
}

}  // namespace sparsepush
