#include "host/tables/cells.h"

#include <fmt/format.h>

#include <cmath>

#include "data/memory_plan.h"

namespace sparsepush {
namespace {

std::string plain_number(double value) {
  constexpr double kLarge = 1000;  // from here on steps, messages and the like are whole
  return std::abs(value) >= kLarge && std::abs(value) < 1e15 ? fmt::format("{:.0f}", value)
                                                             : fmt::format("{:.3g}", value);
}

bool is_ratio(const Column& column) { return column.relation == Relation::kRatio; }
bool is_bytes(const Column& column) { return column.metric.starts_with("bytes_") && !is_ratio(column); }

std::string bytes(double value) { return value < 0 ? fmt::format("-{}", format_bytes(-value)) : format_bytes(value); }

std::string number_of(const Column& column, double value) {
  if (is_percent(column)) return fmt::format("{:.1f}", 100 * value);
  if (is_ratio(column)) return value >= 10 ? fmt::format("{:.0f}x", value) : fmt::format("{:.2g}x", value);
  if (is_bytes(column)) return bytes(value);
  if (column.metric == "seconds") return fmt::format("{:.1f}", value);
  return plain_number(value);
}

std::string deviation_of(const Column& column, double value) {
  if (is_percent(column) || is_bytes(column) || column.metric == "seconds") return number_of(column, value);
  return fmt::format("{:.2g}{}", value, is_ratio(column) ? "x" : "");
}

}  // namespace

bool is_percent(const Column& column) { return column.metric.starts_with("accuracy") && !is_ratio(column); }

std::string cell_of(const Column& column, const Statistic& statistic, Spread spread) {
  if (!statistic.mean) return "";
  std::string cell = number_of(column, *statistic.mean);
  const auto width = spread == Spread::kSd         ? statistic.sd
                     : spread == Spread::kInterval ? interval_of(statistic)
                                                   : std::nullopt;
  constexpr double kNothing = 5e-4;  // of the mean: bytes hardly differ between seeds
  const bool says_nothing = width && *width <= kNothing * std::abs(*statistic.mean) && !is_percent(column);
  if (width && !says_nothing) cell += " ± " + deviation_of(column, *width);
  return cell;
}

std::string bound_of(const Column& column, double bound) { return number_of(column, bound); }

std::vector<std::string> cells_of(const RowResult& row, const TableSettings& settings) {
  std::vector<std::string> cells(settings.columns.size());
  if (row.status == Status::kDiverged) {
    cells.front() = fmt::format("diverged ({} of {})", row.diverged, row.replicas.size());
  } else if (row.status != Status::kFinished) {
    cells.front() = word_of(row.status);
  } else {
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const Statistic& statistic = row.columns[c];
      cells[c] = cell_of(settings.columns[c], statistic, settings.spread);
      if (settings.columns[c].when == When::kReach && !statistic.mean)
        cells[c] = fmt::format("{} of {} reached", statistic.n, row.replicas.size());
    }
  }
  return cells;
}

}  // namespace sparsepush
