#include "host/tables/cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "data/memory_plan.h"

namespace sparsepush {
namespace {

/// Returns a number with so many decimals, without the sign of what is rounded to nothing.
std::string fixed(double value, int decimals) {
  std::string text = fmt::format("{:.{}f}", value, decimals);
  if (text.starts_with('-') && text.find_first_of("123456789") == std::string::npos) text.erase(0, 1);
  return text;
}

std::string without_zeros(std::string text) {
  if (text.find('.') == std::string::npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

/// Returns the power of ten of a number's first digit: 0 for 1 to 9.99, -1 for 0.1.
int first_digit(double value) { return static_cast<int>(std::floor(std::log10(std::abs(value)))); }

/// Returns a mean of `digits` digits and its deviation with as many decimals, or more where these would not show it.
std::string plain_cell(double mean, const std::optional<double>& width, int digits, const char* unit) {
  const double scale = std::max(std::abs(mean), width.value_or(0));
  constexpr double kTiny = 1e-4, kHuge = 1e15;  // beyond, zeros would be counted
  if (scale > 0 && (scale < kTiny || scale >= kHuge)) {
    const std::string text = fmt::format("{:.{}g}{}", mean, digits, unit);
    return width ? text + fmt::format(" ± {:.2g}{}", *width, unit) : text;
  }
  int decimals = scale > 0 ? std::max(0, digits - 1 - first_digit(scale)) : 0;
  if (!width) return without_zeros(fixed(mean, decimals)) + unit;
  constexpr int kMore = 3;
  if (*width > 0) decimals = std::clamp(-first_digit(*width), decimals, decimals + kMore);
  return fmt::format("{}{} ± {}{}", fixed(mean, decimals), unit, fixed(*width, decimals), unit);
}

bool is_ratio(const Column& column) { return column.relation == Relation::kRatio; }
bool is_bytes(const Column& column) { return column.metric.starts_with("bytes_"); }

std::string bytes(double value) { return value < 0 ? fmt::format("-{}", format_bytes(-value)) : format_bytes(value); }

}  // namespace

std::optional<double> value_of_cell(std::string_view cell) {
  cell = cell.substr(0, cell.find(" ± "));
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  const std::string_view unit = cell.substr(static_cast<std::size_t>(end - cell.data()));
  if (unit.empty() || unit == "x") return value;
  double factor = 1;
  for (const char* bytes : {" B", " kB", " MB", " GB", " TB", " PB", " EB"}) {
    if (unit == bytes) return value * factor;
    factor *= 1000;
  }
  return std::nullopt;
}

bool is_percent(const Column& column) { return column.metric.starts_with("accuracy") && !is_ratio(column); }

bool may_hide_deviation(const Column& column) { return is_bytes(column); }

std::string cell_of(const Column& column, const Statistic& statistic, Spread spread) {
  if (!statistic.mean) return "";
  const double mean = *statistic.mean;
  auto width = spread == Spread::kSd         ? statistic.sd
               : spread == Spread::kInterval ? interval_of(statistic)
                                             : std::nullopt;
  constexpr double kNothing = 5e-4;  // share of the mean
  if (width && may_hide_deviation(column) && *width <= kNothing * std::abs(mean)) width.reset();
  const auto cell = [&](const auto& write) { return write(mean) + (width ? " ± " + write(*width) : ""); };
  if (is_percent(column)) return cell([](double value) { return fixed(100 * value, 1); });
  if (column.metric == "seconds" && !is_ratio(column)) return cell([](double value) { return fixed(value, 1); });
  if (is_bytes(column) && !is_ratio(column)) return cell(bytes);
  return is_ratio(column) ? plain_cell(mean, width, 2, "x") : plain_cell(mean, width, 3, "");
}

std::string bound_of(const Column& column, double bound) {
  return cell_of(column, {.n = 1, .mean = bound}, Spread::kNone);
}

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
        cells[c] = fmt::format("{} of {} {}", statistic.n, row.replicas.size(),
                               settings.columns[c].relation == Relation::kNone ? "reached" : "pairs reached");
    }
  }
  return cells;
}

}  // namespace sparsepush
