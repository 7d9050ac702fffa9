#include "host/reports/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace sparsepush {
namespace {

constexpr double kRoom = 0.04;  // share of an axis beyond its numbers

/// Rounds `step` up to 1, 2 or 5 times a power of ten.
double round_step(double step) {
  const double power = std::pow(10, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (step <= factor * power * (1 + 1e-9)) return factor * power;
  return 10 * power;
}

std::vector<AxisTick> linear_ticks(const ChartAxis& axis, int wanted) {
  const double step = round_step((axis.high - axis.low) / wanted);
  std::vector<AxisTick> ticks;
  const double slack = 1e-9 * step;
  for (double k = std::ceil((axis.low - slack) / step); k * step <= axis.high + slack; ++k)
    ticks.push_back({k * step, number_words(axis.form, k * step, step)});
  return ticks;
}

/// Chooses powers of ten; with few of them 2 and 5 times these as well, with many only every second, third, ...
std::vector<AxisTick> log_ticks(const ChartAxis& axis, int wanted) {
  const double decades = std::log10(axis.high / axis.low);
  const int first = static_cast<int>(std::floor(std::log10(axis.low) + 1e-9));
  const int last = static_cast<int>(std::floor(std::log10(axis.high) + 1e-9));
  const int every = std::max(1, static_cast<int>(std::ceil(decades / (wanted + 1))));
  std::vector<AxisTick> ticks;
  for (int power = first; power <= last; ++power) {
    for (const int factor : {1, 2, 5}) {
      if (factor > 1 && decades > 2.2) continue;
      const double value = factor * std::pow(10, power);
      if (value < axis.low * (1 - 1e-9) || value > axis.high * (1 + 1e-9)) continue;
      const bool has_text = power % every == 0;
      ticks.push_back({value, has_text ? number_words(axis.form, value, value) : ""});
    }
  }
  if (ticks.size() < 2) {  // within less than a decade
    ChartAxis linear = axis;
    linear.is_log = false;
    return linear_ticks(linear, wanted);
  }
  return ticks;
}

/// Returns as many decimals as tell a number from others, "1e-5" and "2e6" instead of zeros that would be counted.
std::string plain_words(double value, double step) {
  const double size = std::max(std::abs(value), std::abs(step));
  if (value == 0) return "0";
  if (size >= 1e6 || size < 1e-3) {
    const std::string text = fmt::format("{:.2e}", value);  // 1.20e-05
    const std::size_t e = text.find('e');
    std::string digits = text.substr(0, e);
    digits.erase(digits.find_last_not_of('0') + 1);
    if (digits.ends_with('.')) digits.pop_back();
    return fmt::format("{}e{}", digits, std::atoi(text.c_str() + e + 1));
  }
  const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  return fmt::format("{:.{}f}", value, decimals);
}

std::string bytes_words(double value) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  std::size_t unit = 0;
  while (std::abs(value) >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.3g} {}", value, kUnits[unit]);
}

}  // namespace

double ChartAxis::at(double value) const {
  const double part = is_log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  return begin + part * length;
}

bool ChartAxis::takes(double value) const { return std::isfinite(value) && (!is_log || value > 0); }

ChartAxis axis_around(const std::vector<double>& values, bool is_log, bool is_padded) {
  ChartAxis axis{.is_log = is_log, .low = is_log ? 0.1 : 0, .high = 1};
  bool any = false;
  for (const double value : values) {
    if (!axis.takes(value)) continue;
    axis.low = any ? std::min(axis.low, value) : value;
    axis.high = any ? std::max(axis.high, value) : value;
    any = true;
  }
  if (is_log) {
    if (axis.low == axis.high) axis = {.is_log = true, .low = axis.low / 2, .high = axis.high * 2};
    const double room = is_padded ? std::pow(axis.high / axis.low, kRoom) : 1;
    axis.low /= room;
    axis.high *= room;
  } else {
    const double about = std::max(std::abs(axis.low), 1.0);
    if (axis.high - axis.low < 1e-12 * about) {
      axis.low -= 0.5 * about;
      axis.high += 0.5 * about;
    }
    const double room = is_padded ? kRoom * (axis.high - axis.low) : 0;
    axis.low -= room;
    axis.high += room;
  }
  return axis;
}

std::vector<AxisTick> ticks_of(const ChartAxis& axis, int wanted) {
  return axis.is_log ? log_ticks(axis, wanted) : linear_ticks(axis, wanted);
}

std::string number_words(NumberForm form, double value, double step) {
  switch (form) {
    case NumberForm::kPercent:
      return plain_words(100 * value, 100 * step) + " %";
    case NumberForm::kBytes:
      return bytes_words(value);
    case NumberForm::kPlain:
      break;
  }
  return plain_words(value, step);
}

}  // namespace sparsepush
