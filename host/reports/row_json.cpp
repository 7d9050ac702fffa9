#include "host/reports/row_json.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace sparsepush {
namespace {

/// Returns a string of JSON that HTML sees no markup in.
std::string json_text(const std::string& text) {
  std::string safe;
  for (const char c : nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
    if (c == '<')
      safe += "\\u003c";
    else if (c == '&')
      safe += "\\u0026";
    else
      safe += c;
  return safe;
}

std::string json_numbers(const std::vector<double>& values) {
  std::string text = "[";
  for (const double value : values) {
    if (text.size() > 1) text += ',';
    text += std::isfinite(value) ? fmt::format("{:.9g}", value) : "null";
  }
  return text + "]";
}

std::string row_object(const ReportRow& row) {
  std::vector<std::string> folders;
  for (const ReportRun* run : row.runs) folders.push_back(json_text(run->shown));
  std::string text = fmt::format("{{\"label\":{},\"method\":{},\"colour\":{},\"folders\":[{}],\"step\":[{}]",
                                 json_text(row.style.label), json_text(row.method), json_text(row.style.colour),
                                 fmt::join(folders, ","), fmt::join(row.step, ","));
  for (const auto& [name, column] : row.columns) {
    if (!row.has(name)) continue;
    text += fmt::format(",\"{}\":{}", name, json_numbers(column.mean));
    const bool has_band = name == "accuracy_mean" || name == "accuracy_mean_model" || name.ends_with("_loss");
    if (has_band && !column.sd.empty()) text += fmt::format(",\"{}_sd\":{}", name, json_numbers(column.sd));
  }
  return text + "}";
}

}  // namespace

std::string rows_json(const std::vector<const ReportRow*>& rows) {
  std::string text = "[";
  for (const ReportRow* row : rows) {
    text += text.size() > 1 ? ",\n" : "\n";
    text += row_object(*row);
  }
  return text + "\n]";
}

}  // namespace sparsepush
