#include "host/reports/frontier_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "data/files/input_error.h"
#include "host/reports/line_chart.h"
#include "host/reports/metric_charts.h"
#include "host/tables/columns.h"

namespace sparsepush {
namespace {

const ReportTable* table_of(const ReportRow& row, const std::vector<ReportTable>& tables) {
  const std::string& shown = row.runs.front()->table;
  const auto it = std::ranges::find(tables, shown, &ReportTable::shown);
  return shown.empty() || it == tables.end() ? nullptr : &*it;
}

bool is_reference_row(const ReportRow& row, const std::vector<ReportTable>& tables) {
  const ReportTable* table = table_of(row, tables);
  if (!table) return false;
  const auto* point = table->point("points/" + row.runs.front()->folder.filename().string());
  return point && table->is_reference(*point);
}

ChartPoint end_of(const ReportRow& row) { return {row.last("bytes_wire"), row.last("accuracy_mean")}; }

/// Returns whether no other row has at least its accuracy for fewer bytes, or more for as many.
bool is_on_frontier(const ReportRow& row, const RowPanel& panel) {
  const ChartPoint own = end_of(row);
  return std::ranges::none_of(panel.rows, [&](const ReportRow* other) {
    const ChartPoint p = end_of(*other);
    return p.x <= own.x && p.y >= own.y && (p.x < own.x || p.y > own.y);
  });
}

/// Finds where a claim's bound stands: at an accuracy, or at a number of bytes; none where it is about something else.
std::optional<ChartRule> rule_of_claim(const std::map<std::string, std::string>& claim, const ReportRow* reference) {
  Column column;
  try {
    column = parse_column(claim.at("metric"), "");
  } catch (const InputError&) {
    return std::nullopt;
  }
  if (column.when != When::kLast && column.when != When::kTrained) return std::nullopt;
  const double bound = std::atof(claim.at("bound").c_str());
  ChartRule rule{.is_vertical = column.metric == "bytes_wire", .value = bound, .text = claim.at("claim")};
  if (!rule.is_vertical && column.metric != "accuracy_mean") return std::nullopt;
  if (column.relation != Relation::kNone) {
    if (!reference) return std::nullopt;
    const bool at_trained = column.relation == Relation::kRatio || column.when == When::kTrained;
    const std::vector<double>& of_reference = reference->mean(column.metric);
    const double value = at_trained ? of_reference[reference->trained] : of_reference.back();
    rule.value = column.relation == Relation::kGap ? value - bound : value / bound;
  }
  return rule;
}

std::vector<ChartRule> rules_of(const RowPanel& panel, const std::vector<ReportTable>& tables,
                                const ReportRow* reference) {
  std::vector<ChartRule> rules;
  if (reference) rules.push_back({.value = reference->last("accuracy_mean"), .text = "reference"});
  for (const ReportTable& table : tables) {
    for (const auto& claim : table.claims.lines) {
      const auto is_claimed = [&](const ReportRow* row) {
        return row->runs.front()->table == table.shown && row->point == claim.at("row");
      };
      if (std::ranges::none_of(panel.rows, is_claimed)) continue;
      const auto rule = rule_of_claim(claim, reference);
      const auto is_same = [&](const ChartRule& other) {
        return other.text == rule->text && other.is_vertical == rule->is_vertical && other.value == rule->value;
      };
      if (rule && std::ranges::none_of(rules, is_same)) rules.push_back(*rule);
    }
  }
  return rules;
}

}  // namespace

std::optional<Figure> frontier_chart(const RowPanel& panel, const std::vector<ReportTable>& tables,
                                     const std::string& prefix) {
  LineChart chart{.name = prefix + "accuracy-against-bytes",
                  .title = "Accuracy against bytes, at the end",
                  .x_column = "bytes_wire",
                  .x = {.form = NumberForm::kBytes, .is_log = true},
                  .y = {.form = NumberForm::kPercent}};
  std::vector<const ReportRow*> drawn, references;
  std::vector<double> bytes, accuracies;
  std::string silent;
  for (const ReportRow* row : panel.rows) {
    const ChartPoint end = end_of(*row);
    if (!chart.y.takes(end.y)) continue;
    if (!chart.x.takes(end.x)) {
      silent += (silent.empty() ? "" : ", ") + row->style.label;
      continue;
    }
    const bool is_reference = is_reference_row(*row, tables);
    if (is_reference) references.push_back(row);
    drawn.push_back(row);
    chart.spots.push_back(
        {.style = row->style,
         .at = end,
         .words = fmt::format("{}: {} for {}", row->style.label, number_words(NumberForm::kPercent, end.y, 0.001),
                              number_words(NumberForm::kBytes, end.x, 1)),
         .is_strong = is_on_frontier(*row, panel),
         .is_ringed = is_reference});
    bytes.push_back(end.x);
    accuracies.push_back(end.y);
    if (chart.spots.back().is_strong) chart.staircase.push_back(end);
  }
  if (drawn.empty()) return std::nullopt;
  std::ranges::sort(chart.staircase, {}, &ChartPoint::x);
  chart.rules = rules_of(panel, tables, references.size() == 1 ? references.front() : nullptr);
  const ChartAxis across = axis_around(bytes, true, true);
  const double middle = std::sqrt(across.low * across.high);
  for (const ChartRule& rule : chart.rules) {
    // A bound far away would leave no room for the rows.
    const bool is_near = rule.is_vertical && rule.value > 0 && std::abs(std::log10(rule.value / middle)) < 4;
    if (is_near) bytes.push_back(rule.value);
    if (!rule.is_vertical && rule.value >= 0 && rule.value <= 1) accuracies.push_back(rule.value);
  }
  chart.x = axis_around(bytes, true, true);
  chart.x.title = "bytes sent by all nodes";
  chart.x.form = NumberForm::kBytes;
  chart.y = axis_around(accuracies, false, true);
  chart.y.form = NumberForm::kPercent;
  chart.legend = styles_of(drawn);
  chart.note = "Large points: no other row has as much accuracy for fewer bytes.";
  if (!references.empty()) chart.note += " Ringed: the reference.";
  if (!silent.empty()) chart.note += " Without bytes, and so without a place: " + silent + ".";
  return draw(chart);
}

}  // namespace sparsepush
