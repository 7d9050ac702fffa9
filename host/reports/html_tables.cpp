#include "host/reports/html_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "data/files/input_error.h"
#include "host/reports/html_text.h"
#include "host/reports/row_labels.h"
#include "host/tables/cells.h"

namespace sparsepush {
namespace {

/// Columns of metrics.csv that the table of results shows, with its heads.
constexpr std::pair<const char*, const char*> kResults[] = {
    {"accuracy_mean", "accuracy, %"}, {"accuracy_mean_model", "of the mean model, %"},
    {"test_loss", "test loss"},       {"consensus", "consensus"},
    {"bytes_wire", "bytes sent"},     {"seconds", "seconds"}};

/// Reads a column; one of another version is shown as a plain number.
Column shown_column(const std::string& text) try { return parse_column(text, ""); } catch (const InputError&) {
  return {.text = text, .metric = text};
}

HtmlCell number_cell(const std::string& column, const Statistic& statistic) {
  return {cell_of(shown_column(column), statistic, Spread::kSd), statistic.mean};
}

std::optional<double> number_in(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// Returns the end of a row's column, as tables have it.
HtmlCell last_cell(const ReportRow& row, const std::string& name) {
  const RowColumn& column = row.columns.at(name);
  if (!std::isfinite(column.mean.back())) return {};
  Statistic statistic{.n = row.replicas(), .mean = column.mean.back()};
  if (!column.sd.empty() && std::isfinite(column.sd.back())) statistic.sd = column.sd.back();
  return number_cell(name, statistic);
}

/// Says how the first run of a row that has not finished ended, and why.
std::string status_of_row(const ReportRow& row) {
  for (const ReportRun* run : row.runs)
    if (run->status != "finished") return run->status + (run->reason.empty() ? "" : ": " + run->reason);
  return "finished";
}

std::string field_of(const std::map<std::string, std::string>& line, const std::string& column) {
  const auto it = line.find(column);
  return it == line.end() ? "" : it->second;
}

}  // namespace

std::string html_table(const std::vector<std::string>& head, const std::vector<std::vector<HtmlCell>>& rows) {
  std::string html = "<div class=\"wide\"><table class=\"sortable\"><thead><tr>";
  for (std::size_t c = 0; c < head.size(); ++c) {
    const auto has_number = [c](const std::vector<HtmlCell>& row) { return row[c].value.has_value(); };
    html += fmt::format("<th scope=\"col\"{}>{}</th>", std::ranges::any_of(rows, has_number) ? " class=\"number\"" : "",
                        html_text(head[c]));
  }
  html += "</tr></thead><tbody>\n";
  for (const auto& row : rows) {
    html += "<tr>";
    for (const HtmlCell& cell : row)
      html += cell.value
                  ? fmt::format("<td class=\"number\" data-value=\"{:.9g}\">{}</td>", *cell.value, html_text(cell.text))
                  : fmt::format("<td>{}</td>", html_text(cell.text));
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string results_table(const std::vector<ReportRow>& rows) {
  std::vector<std::string> head{"row", "status", "replicas", "step"}, columns;
  for (const auto& [column, title] : kResults) {
    if (std::ranges::none_of(rows, [&](const ReportRow& row) { return row.has(column); })) continue;
    columns.emplace_back(column);
    head.emplace_back(title);
  }
  std::vector<std::vector<HtmlCell>> cells;
  for (const ReportRow& row : rows) {
    const auto last = static_cast<double>(row.step.back());
    cells.push_back({{row.style.label},
                     {status_of_row(row)},
                     {fmt::format("{}", row.replicas()), row.replicas()},
                     {fmt::format("{}", row.step.back()), last}});
    for (const std::string& column : columns) cells.back().push_back(last_cell(row, column));
  }
  return html_table(head, cells);
}

std::string rows_of_table(const ReportTable& table) {
  std::vector<std::vector<HtmlCell>> cells;
  for (const auto& row : table.rows.rows) {
    cells.emplace_back();
    for (const std::string& text : row) cells.back().push_back({text, value_of_cell(text)});
    cells.back().front().value.reset();  // a name
  }
  return html_table(table.rows.head, cells);
}

std::string claims_of_table(const ReportTable& table) {
  std::vector<std::vector<HtmlCell>> cells;
  for (const auto& line : table.claims.lines) {
    const std::string metric = field_of(line, "metric");
    const auto of_metric = [&](const char* column, const char* deviation = "") {
      const auto value = number_in(field_of(line, column));
      if (!value) return HtmlCell{};
      return number_cell(
          metric,
          {.n = std::atoi(field_of(line, "n").c_str()), .mean = value, .sd = number_in(field_of(line, deviation))});
    };
    const std::string judged = field_of(line, "judged") == "false" ? " (not judged)" : "";
    std::string relation = field_of(line, "relation");
    std::ranges::replace(relation, '_', ' ');
    const HtmlCell tolerance = of_metric("tolerance");
    const bool is_exact = tolerance.value.value_or(0) == 0;
    cells.push_back({{field_of(line, "claim")},
                     {field_of(line, "row")},
                     {metric + (is_percent(shown_column(metric)) ? ", %" : "")},
                     of_metric("value", "sd"),
                     {relation + " " + of_metric("bound").text + (is_exact ? "" : ", ± " + tolerance.text)},
                     {field_of(line, "verdict") + judged},
                     {field_of(line, "clear")},
                     {field_of(line, "source")}});
  }
  return html_table({"claim", "row", "metric", "value", "claimed", "verdict", "clear", "source"}, cells);
}

std::string settings_table(const std::vector<ReportRow>& rows) {
  const auto keys = keys_that_differ(rows);
  if (keys.empty()) return "";
  std::vector<std::string> head{"row"};
  for (const Field* field : keys) head.push_back(field->name());
  std::vector<std::vector<HtmlCell>> cells;
  for (const ReportRow& row : rows) {
    cells.push_back({{row.style.label}});
    for (const Field* field : keys) {
      const std::string words = counts_in(*field, row.config()) ? shown_words(*field, row.config()) : "";
      cells.back().push_back({words, number_in(words)});
    }
  }
  return html_table(head, cells);
}

std::string runs_list(const std::vector<ReportRow>& rows) {
  std::string html;
  for (const ReportRow& row : rows) {
    for (const ReportRun* run : row.runs) {
      std::string facts = run->status + (run->reason.empty() ? "" : ": " + run->reason);
      if (!run->version.empty()) facts += "; sparsepush " + run->version;
      if (!run->device.empty()) facts += "; " + run->device;
      facts += fmt::format("; {:.1f} s; step {}", run->seconds, run->last_step());
      html += fmt::format(
          "<details><summary>{} <span class=\"folder\">{}</span></summary>\n<p>{}</p>\n<pre>{}</pre></details>\n",
          html_text(row.style.label), html_text(run->shown), html_text(facts), html_text(run->config_text));
    }
  }
  return html;
}

}  // namespace sparsepush
