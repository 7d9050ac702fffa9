#include "host/reports/metric_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "host/reports/line_chart.h"

namespace sparsepush {
namespace {

struct TimeAxis {
  std::string name, column, title;  ///< `name`: the element's data-x
  NumberForm form = NumberForm::kPlain;
  bool is_log = false;
};

const std::vector<TimeAxis>& time_axes() {
  static const std::vector<TimeAxis> axes = {
      {"step", "", "steps"},
      {"epoch", "epochs", "epochs"},
      {"bytes_wire", "bytes_wire", "bytes sent by all nodes", NumberForm::kBytes, true},
      {"seconds", "seconds", "seconds of training and tests"}};
  return axes;
}

struct MetricKind {
  std::string column, title;
  NumberForm form = NumberForm::kPlain;
  bool is_log = false;
  bool over_steps_only = false;
  std::string upper = {};  ///< a band from `column` to this one is drawn instead of lines
};

const std::vector<MetricKind>& metric_kinds() {
  static const std::vector<MetricKind> kinds = {
      {"accuracy_mean", "Test accuracy, mean of the nodes", NumberForm::kPercent},
      {"accuracy_mean_model", "Test accuracy of the mean model", NumberForm::kPercent},
      {"test_loss", "Test loss, mean of the nodes"},
      {"train_loss", "Training loss, mean of the nodes"},
      {"consensus", "Consensus distance", NumberForm::kPlain, true, true},
      {"u_min", "Push-sum weights, smallest to largest", NumberForm::kPlain, true, true, "u_max"},
      {"error_ratio", "Error memory, of the parameters' norm", NumberForm::kPlain, true, true}};
  return kinds;
}

double x_of(const ReportRow& row, const TimeAxis& axis, std::size_t i) {
  return axis.column.empty() ? static_cast<double>(row.step[i]) : row.mean(axis.column)[i];
}

ChartLine line_of(const ReportRow& row, const MetricKind& kind, const TimeAxis& axis) {
  ChartLine line{.style = row.style, .column = kind.column};
  const std::vector<double>& y = row.mean(kind.column);
  for (std::size_t i = 0; i < row.step.size(); ++i) line.points.push_back({x_of(row, axis, i), y[i]});
  if (row.has_final_rounds()) {
    line.merged = line.points[row.trained];
    line.after = line.points.back();
  }
  return line;
}

/// Makes a band of one deviation to both sides.
ChartBand deviation_band(const ReportRow& row, const MetricKind& kind, const TimeAxis& axis) {
  const RowColumn& column = row.columns.at(kind.column);
  ChartBand band{.style = row.style};
  for (std::size_t i = 0; i < column.sd.size(); ++i) {
    band.x.push_back(x_of(row, axis, i));
    band.low.push_back(column.mean[i] - column.sd[i]);
    band.high.push_back(column.mean[i] + column.sd[i]);
  }
  return band;
}

ChartBand range_band(const ReportRow& row, const MetricKind& kind, const TimeAxis& axis) {
  ChartBand band{.style = row.style, .opacity = 0.25};
  for (std::size_t i = 0; i < row.step.size(); ++i) band.x.push_back(x_of(row, axis, i));
  band.low = row.mean(kind.column);
  band.high = row.mean(kind.upper);
  return band;
}

/// Lists where lines are, also without a number: the charts of a panel have the same axis.
std::vector<double> places_of(const LineChart& chart) {
  std::vector<double> places;
  for (const ChartLine& line : chart.lines)
    for (const ChartPoint& p : line.points) places.push_back(p.x);
  return places;
}

/// Lists the numbers that lines and bands have, where the axis of places takes them.
std::vector<double> values_of(const LineChart& chart) {
  std::vector<double> values;
  const auto add = [&](double x, double y) {
    if (chart.x.takes(x)) values.push_back(y);
  };
  for (const ChartLine& line : chart.lines)
    for (const ChartPoint& p : line.points) add(p.x, p.y);
  for (const ChartBand& band : chart.bands)
    for (std::size_t i = 0; i < band.x.size(); ++i) {
      add(band.x[i], band.low[i]);
      add(band.x[i], band.high[i]);
    }
  return values;
}

ChartAxis fitted(const ChartAxis& axis, const std::vector<double>& values, bool is_padded) {
  ChartAxis around = axis_around(values, axis.is_log, is_padded);
  around.title = axis.title;
  around.form = axis.form;
  return around;
}

/// Returns whether losses fall by much: then only a logarithmic axis shows it.
bool falls_by_much(const RowPanel& panel, const std::string& column) {
  double least = std::numeric_limits<double>::infinity(), most = 0;
  for (const ReportRow* row : panel.rows)
    for (const double value : row->mean(column)) {
      if (std::isfinite(value)) least = std::min(least, value);
      if (std::isfinite(value)) most = std::max(most, value);
    }
  constexpr double kMuch = 30;
  return least > 0 && most > kMuch * least;
}

LineChart chart_of(const RowPanel& panel, const MetricKind& kind, const TimeAxis& axis) {
  LineChart chart{.title = kind.title,
                  .x_column = axis.name,
                  .x = {.title = axis.title, .form = axis.form, .is_log = axis.is_log},
                  .y = {.form = kind.form, .is_log = kind.is_log}};
  if (kind.column.ends_with("_loss")) chart.y.is_log = falls_by_much(panel, kind.column);
  std::vector<const ReportRow*> drawn;
  for (const ReportRow* row : panel.rows) {
    if (!row->has(kind.column)) continue;
    drawn.push_back(row);
    if (!kind.upper.empty()) {
      chart.bands.push_back(range_band(*row, kind, axis));
      chart.lines.push_back(line_of(*row, kind, axis));
      MetricKind upper = kind;
      upper.column = kind.upper;
      chart.lines.push_back(line_of(*row, upper, axis));
    } else {
      if (row->replicas() > 1) chart.bands.push_back(deviation_band(*row, kind, axis));
      chart.lines.push_back(line_of(*row, kind, axis));
    }
  }
  // Bands get fainter where there are many: none would be seen below the others.
  constexpr double kManyBands = 10;
  for (ChartBand& band : chart.bands)
    band.opacity *= std::min(1.0, kManyBands / static_cast<double>(chart.bands.size()));
  chart.legend = styles_of(drawn);
  chart.x = fitted(chart.x, places_of(chart), false);
  chart.y = fitted(chart.y, values_of(chart), true);
  return chart;
}

bool has_numbers(const LineChart& chart) {
  for (const ChartLine& line : chart.lines)
    for (const ChartPoint& p : line.points)
      if (chart.x.takes(p.x) && chart.y.takes(p.y)) return true;
  return false;
}

/// Returns whether epochs are an axis. They are for all rows or for none: a row that is missing would be taken for one
/// that did not learn.
bool have_epochs(const RowPanel& panel) {
  return std::ranges::all_of(panel.rows, [](const ReportRow* row) { return row->has("epochs"); });
}

/// Returns whether all push-sum weights stay 1.
bool are_idle(const RowPanel& panel) {
  return std::ranges::all_of(panel.rows, [](const ReportRow* row) {
    const auto is_one = [](double u) { return !(std::abs(u - 1) > 1e-9); };
    return std::ranges::all_of(row->mean("u_min"), is_one) && std::ranges::all_of(row->mean("u_max"), is_one);
  });
}

}  // namespace

std::vector<LineStyle> styles_of(const std::vector<const ReportRow*>& rows) {
  std::vector<LineStyle> styles;
  for (const ReportRow* row : rows) styles.push_back(row->style);
  return styles;
}

std::vector<FigureGroup> metric_charts(const RowPanel& panel, const std::string& prefix) {
  std::vector<FigureGroup> groups;
  for (const MetricKind& kind : metric_kinds()) {
    if (kind.column == "u_min" && are_idle(panel)) continue;
    FigureGroup group;
    for (const TimeAxis& axis : time_axes()) {
      if (kind.over_steps_only && axis.name != "step") continue;
      if (axis.name == "epoch" && !have_epochs(panel)) continue;
      LineChart chart = chart_of(panel, kind, axis);
      if (!has_numbers(chart)) continue;
      const std::string name = kind.upper.empty() ? kind.column : "push_weights";
      chart.name = prefix + name + "-" + axis.name;
      group.figures.push_back(draw(chart));
    }
    if (!group.figures.empty()) groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace sparsepush
