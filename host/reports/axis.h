// Axes of charts: where numbers stand, and which of them are written there.
#pragma once
#include <string>
#include <vector>

namespace sparsepush {

/// How the numbers of an axis are written.
enum class NumberForm { kPlain, kPercent, kBytes };

struct ChartAxis {
  std::string title = {};
  NumberForm form = NumberForm::kPlain;
  bool is_log = false;
  double low = 0, high = 1;      ///< at its ends; above 0 on a logarithmic one
  double begin = 0, length = 0;  ///< pixels from `low` to `high`, which may be negative

  /// Returns the pixel at which a number stands.
  double at(double value) const;
  /// Returns whether the axis has a place for a number.
  bool takes(double value) const;
};

/// Makes an axis around finite `values`, those above 0 for a logarithmic one, with some room on both sides if
/// `is_padded`. Without any it goes from 0 to 1, or from 0.1 to 1.
ChartAxis axis_around(const std::vector<double>& values, bool is_log, bool is_padded);

struct AxisTick {
  double value = 0;
  std::string text = {};  ///< empty: a line without a number
};

/// Chooses about `wanted` ticks at round numbers.
std::vector<AxisTick> ticks_of(const ChartAxis& axis, int wanted);

/// Returns a number as axes and readers have it: 0.25 as "25 %", 1.5e6 bytes as "1.5 MB". `step` is the smallest
/// difference that should show.
std::string number_words(NumberForm form, double value, double step);

}  // namespace sparsepush
