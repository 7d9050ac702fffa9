#include "host/listing/last_row.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "data/files/input_error.h"
#include "host/records/number_table.h"

namespace sparsepush {

std::optional<double> LastRow::value(std::string_view column) const {
  const auto it = std::ranges::find(columns, column);
  if (it == columns.end()) throw InputError("metrics.csv:1: expected a column {}", column);
  if (values.empty() || std::isnan(values[it - columns.begin()])) return std::nullopt;
  return values[it - columns.begin()];
}

LastRow read_last_row(const std::filesystem::path& folder, std::int64_t replicas) {
  const auto wanted = static_cast<std::size_t>(replicas);
  NumberTable table = read_last_numbers(folder / "metrics.csv", 2 * wanted);
  const auto step = table.find("step");
  if (!step || !table.find("replica")) throw InputError("{}: expected metrics of a run", folder.string());
  LastRow last{.columns = std::move(table.columns)};
  // An evaluation that was torn lacks the lines of some replicas.
  for (auto end = table.rows.cend(); end != table.rows.cbegin() && last.values.empty();) {
    auto begin = end;
    while (begin != table.rows.cbegin() && (*std::prev(begin))[*step] == (*std::prev(end))[*step]) --begin;
    if (static_cast<std::size_t>(end - begin) == wanted) {
      last.values.resize(last.columns.size());
      for (auto row = begin; row != end; ++row)
        for (std::size_t c = 0; c < last.values.size(); ++c) last.values[c] += (*row)[c];
      for (double& value : last.values) value /= static_cast<double>(replicas);
    }
    end = begin;
  }
  return last;
}

}  // namespace sparsepush
