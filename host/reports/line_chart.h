// A chart of lines, bands and points over two axes, as SVG. Every chart of a report is drawn here.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "host/reports/axis.h"
#include "host/reports/figure.h"

namespace sparsepush {

struct ChartPoint {
  double x = 0, y = 0;
};

struct ChartLine {
  LineStyle style = {};
  std::string column = {};
  std::vector<ChartPoint> points = {};    ///< points that an axis does not take are left out
  std::optional<ChartPoint> merged = {};  ///< where final rounds begin, if there are any
  std::optional<ChartPoint> after = {};   ///< what they end with
};

/// The area between two lines.
struct ChartBand {
  LineStyle style = {};
  double opacity = 0.15;
  std::vector<double> x = {}, low = {}, high = {};
};

/// A point with a name.
struct ChartSpot {
  LineStyle style = {};
  ChartPoint at = {};
  std::string words = {};  ///< for readers who point at it
  bool is_strong = true;   ///< else smaller
  bool is_ringed = false;  ///< what others are compared with
};

/// A straight line across.
struct ChartRule {
  bool is_vertical = false;
  double value = 0;
  std::string text = {};
};

struct LineChart {
  std::string name = {}, title = {}, note = {};
  std::string x_column = {};
  ChartAxis x = {}, y = {};  ///< without pixels
  std::vector<ChartBand> bands = {};
  std::vector<ChartLine> lines = {};
  std::vector<ChartSpot> spots = {};
  std::vector<ChartRule> rules = {};
  std::vector<ChartPoint> staircase = {};  ///< a grey line behind points
  std::vector<LineStyle> legend = {};
  double width = 480, height = 300;
};

/// Draws a chart, with its legend for the file.
Figure draw(const LineChart& chart);

}  // namespace sparsepush
