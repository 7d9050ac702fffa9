#include "host/reports/node_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "data/files/input_error.h"
#include "host/records/number_table.h"
#include "host/reports/html_text.h"
#include "host/reports/line_chart.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

constexpr int kQuantiles[] = {0, 25, 50, 75, 100};  // percent
constexpr int kMostNodes = 64;                      // in a class chart
constexpr int kNumbersUpTo = 16;                    // nodes whose cells have room for numbers

std::string quantile_column(int percent) { return fmt::format("node_q{}", percent); }

/// Interpolates between the two values that are next to it.
double quantile(const std::vector<double>& sorted, int percent) {
  const double at = static_cast<double>(sorted.size() - 1) * percent / 100;
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

std::size_t needed_column(const NumberTable& table, const char* name, const fs::path& path) {
  const auto index = table.find(name);
  if (!index) throw InputError("{}:1: expected a column {}", path.string(), name);
  return *index;
}

using NodeValues = std::map<std::pair<std::int64_t, int>, std::vector<double>>;  // by step and replica

/// Adds the values of one run at the steps that its row shows.
void read_node_values(const ReportRun& run, const std::vector<std::int64_t>& steps, bool of_accuracy, int first_replica,
                      NodeValues& values) {
  const fs::path path = run.folder / "nodes.csv";
  const auto [table, is_torn] = read_complete_lines(path);
  const std::size_t step = needed_column(table, "step", path), replica = needed_column(table, "replica", path);
  const std::size_t value = needed_column(table, of_accuracy ? "accuracy" : "loss", path);
  for (const auto& row : table.rows) {
    const auto at = static_cast<std::int64_t>(row[step]);
    if (std::isfinite(row[value]) && std::ranges::binary_search(steps, at))
      values[{at, first_replica + static_cast<int>(row[replica])}].push_back(row[value]);
  }
  if (!is_torn || table.rows.empty()) return;
  const auto& last = table.rows.back();  // nodes of this evaluation are missing
  values.erase({static_cast<std::int64_t>(last[step]), first_replica + static_cast<int>(last[replica])});
}

/// Lists the columns that a spread chart of the row draws: smallest, lower quartile, middle, upper quartile, largest.
std::vector<std::string> spread_columns(const ReportRow& row) {
  if (row.columns.contains("node_q50")) return {"node_q0", "node_q25", "node_q50", "node_q75", "node_q100"};
  return {"accuracy_min", "", "accuracy_mean", "", "accuracy_max"};
}

ChartBand spread_band(const ReportRow& row, const std::string& low, const std::string& high, double opacity) {
  ChartBand band{.style = row.style, .opacity = opacity};
  for (const std::int64_t step : row.step) band.x.push_back(static_cast<double>(step));
  band.low = row.mean(low);
  band.high = row.mean(high);
  return band;
}

LineChart spread_chart(const ReportRow& row) {
  const auto columns = spread_columns(row);
  LineChart chart{.title = row.style.label, .x_column = "step", .width = 320, .height = 210};
  chart.bands.push_back(spread_band(row, columns[0], columns[4], 0.18));
  if (!columns[1].empty()) chart.bands.push_back(spread_band(row, columns[1], columns[3], 0.3));
  ChartLine line{.style = row.style, .column = columns[2]};
  line.style.dash = "";
  for (std::size_t i = 0; i < row.step.size(); ++i)
    line.points.push_back({static_cast<double>(row.step[i]), row.mean(columns[2])[i]});
  chart.lines.push_back(line);
  std::vector<double> steps;
  for (const ChartPoint& p : line.points) steps.push_back(p.x);
  chart.x = axis_around(steps, false, false);
  chart.x.title = "steps";
  return chart;
}

bool can_be_spread(const ReportRow& row) {
  return row.columns.contains("node_q50") || (row.has("accuracy_min") && row.has("accuracy_max"));
}

bool is_of_accuracy(const ReportRow& row) { return row.has("accuracy_mean"); }

/// Nodes of one replica, spread over all of them, with their counts by class.
struct ClassCounts {
  int nodes = 0;                                   ///< in all
  std::vector<int> node = {};                      ///< shown
  std::vector<std::vector<double>> of_class = {};  ///< [shown][classes]
};

std::optional<ClassCounts> read_class_counts(const fs::path& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  const NumberTable table = read_numbers(path);
  const std::size_t replica = needed_column(table, "replica", path), first = needed_column(table, "class_0", path);
  std::vector<const std::vector<double>*> rows;
  for (const auto& row : table.rows)
    if (row[replica] == 0) rows.push_back(&row);
  if (rows.empty()) return std::nullopt;
  ClassCounts counts{.nodes = static_cast<int>(rows.size())};
  const int shown = std::min(counts.nodes, kMostNodes);
  for (int k = 0; k < shown; ++k) {
    counts.node.push_back((2 * k + 1) * counts.nodes / (2 * shown));
    const auto& row = *rows[static_cast<std::size_t>(counts.node.back())];
    counts.of_class.emplace_back(row.begin() + static_cast<std::ptrdiff_t>(first), row.end());
  }
  return counts;
}

/// Draws a square for each node and class, the darker the more samples.
std::string cells_svg(const ClassCounts& counts, double left, double top, double width, double height) {
  const std::size_t classes = counts.of_class.front().size();
  double most = 1;
  for (const auto& row : counts.of_class) most = std::max(most, *std::ranges::max_element(row));
  const double dx = width / static_cast<double>(counts.node.size()), dy = height / static_cast<double>(classes);
  const bool has_numbers = counts.nodes <= kNumbersUpTo && classes <= 10;
  std::string cells = "<g fill=\"#0072b2\">",
              numbers = "<g font-size=\"10\" text-anchor=\"middle\" fill=\"currentColor\">";
  for (std::size_t k = 0; k < counts.node.size(); ++k) {
    for (std::size_t c = 0; c < classes; ++c) {
      const double count = counts.of_class[k][c];
      if (!(count > 0)) continue;
      const double x = left + dx * static_cast<double>(k), y = top + dy * static_cast<double>(c);
      cells += fmt::format("<path d=\"M{:.1f} {:.1f}h{:.1f}v{:.1f}h-{:.1f}z\" opacity=\"{:.2f}\"/>", x, y, dx - 0.5,
                           dy - 0.5, dx - 0.5, has_numbers ? 0.08 + 0.5 * count / most : 0.1 + 0.9 * count / most);
      if (has_numbers)
        numbers += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{:g}</text>", x + dx / 2, y + dy / 2 + 3.5, count);
    }
  }
  return cells + "</g>\n" + numbers + "</g>\n";
}

/// Returns names of nodes and classes, so many of them that there is room.
std::string cell_names(const ClassCounts& counts, double left, double top, double width, double height) {
  const std::size_t nodes = counts.node.size(), classes = counts.of_class.front().size();
  const double dx = width / static_cast<double>(nodes), dy = height / static_cast<double>(classes);
  std::string svg = "<g font-size=\"11\" fill=\"currentColor\" fill-opacity=\".8\">";
  const std::size_t every_node = (nodes + 15) / 16, every_class = (classes + 19) / 20;
  for (std::size_t k = 0; k < nodes; k += every_node)
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>",
                       left + dx * (static_cast<double>(k) + 0.5), top + height + 15, counts.node[k]);
  for (std::size_t c = 0; c < classes; c += every_class)
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", left - 6,
                       top + dy * (static_cast<double>(c) + 0.5) + 4, c);
  return svg + "</g>\n";
}

}  // namespace

void add_node_quantiles(ReportRow& row) {
  NodeValues values;
  int replicas = 0;
  for (const ReportRun* run : row.runs) {
    read_node_values(*run, row.step, is_of_accuracy(row), replicas, values);
    replicas += run->config.run.replicas;
  }
  for (auto& [at, of_nodes] : values) std::ranges::sort(of_nodes);
  for (const int percent : kQuantiles) {
    RowColumn& column = row.columns[quantile_column(percent)];
    for (const std::int64_t step : row.step) {
      double sum = 0;
      int known = 0;
      for (int r = 0; r < replicas; ++r) {
        const auto it = values.find({step, r});
        if (it == values.end()) continue;
        sum += quantile(it->second, percent);
        ++known;
      }
      column.mean.push_back(known == replicas ? sum / replicas : std::numeric_limits<double>::quiet_NaN());
    }
  }
}

std::vector<Figure> spread_charts(const RowPanel& panel, const std::string& prefix) {
  std::vector<LineChart> charts;
  std::vector<double> values;  // one axis for all: rows are to be compared
  bool of_accuracy = false;
  for (const ReportRow* row : panel.rows) {
    if (!can_be_spread(*row)) continue;
    of_accuracy = is_of_accuracy(*row);
    charts.push_back(spread_chart(*row));
    for (const ChartBand& band : charts.back().bands) {
      values.insert(values.end(), band.low.begin(), band.low.end());
      values.insert(values.end(), band.high.begin(), band.high.end());
    }
  }
  ChartAxis y = axis_around(values, false, true);
  y.form = of_accuracy ? NumberForm::kPercent : NumberForm::kPlain;
  std::vector<Figure> figures;
  for (LineChart& chart : charts) {
    chart.y = y;
    chart.name = fmt::format("{}spread-{}", prefix, figures.size() + 1);
    figures.push_back(draw(chart));
  }
  return figures;
}

std::optional<Figure> class_chart(const RowPanel& panel, const std::string& prefix) {
  const ReportRun& run = *panel.rows.front()->runs.front();
  const auto counts = read_class_counts(run.folder / "partition.csv");
  if (!counts) return std::nullopt;
  Figure figure{.name = prefix + "classes", .title = "Samples of each class, by node", .width = 480, .height = 300};
  constexpr double kLeft = 40, kTop = 30, kRight = 10, kBottom = 40;
  const double width = figure.width - kLeft - kRight, height = figure.height - kTop - kBottom;
  figure.body = fmt::format(
      "<text x=\"10\" y=\"17\" font-size=\"13\" font-weight=\"600\" fill=\"currentColor\">{}</text>\n"
      "<text x=\"{:g}\" y=\"{:g}\" font-size=\"11\" text-anchor=\"middle\" fill=\"currentColor\">node</text>\n",
      html_text(figure.title), kLeft + width / 2, figure.height - 7);
  figure.body += cells_svg(*counts, kLeft, kTop, width, height) + cell_names(*counts, kLeft, kTop, width, height);
  figure.note = "A row a class; the stronger the colour, the more samples.";
  if (counts->nodes > kMostNodes)
    figure.note += fmt::format(" Shown are {} of {} nodes, spread over all.", kMostNodes, counts->nodes);
  if (run.config.run.replicas > 1 || panel.rows.front()->runs.size() > 1)
    figure.note += fmt::format(" Of seed {}.", run.config.run.seed);
  return figure;
}

}  // namespace sparsepush
