#include "host/records/metrics.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string_view>

#include "data/files/input_error.h"
#include "data/files/text_lines.h"
#include "data/files/unsynced_file.h"
#include "data/files/whole_file.h"
#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

std::string field(std::int64_t value) { return std::to_string(value); }
// A NaN's sign differs between machines and says nothing.
std::string field(double value) { return std::isnan(value) ? "nan" : fmt::format("{:.9g}", value); }
template <class T>
std::string field(const std::optional<T>& value) {
  return value ? field(*value) : "";
}

template <class... Fields>
std::string join(const Fields&... values) {
  std::string line = ((field(values) + ',') + ...);
  line.pop_back();
  return line;
}

std::size_t step_column(std::string_view header) {
  const std::string padded = ',' + std::string(header) + ',';
  const std::size_t at = padded.find(",step,");
  CHECK(at != std::string::npos, "the columns are ", header);
  return std::count(padded.begin(), padded.begin() + static_cast<std::ptrdiff_t>(at), ',');
}

std::optional<std::int64_t> number_in_column(std::string_view line, std::size_t column) {
  for (; column > 0; --column) {
    const std::size_t comma = line.find(',');
    if (comma == std::string_view::npos) return std::nullopt;
    line.remove_prefix(comma + 1);
  }
  return number_of<std::int64_t>(line.substr(0, line.find(',')));
}

std::string read_csv(const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) throw InputError("{}: expected a file", path);
  return read_text(path);
}

/// Returns the lines of the file's `text` that stay. A last line without its end was torn by a crash and goes.
std::string kept_lines(std::string_view text, const std::string& path, const std::string& header,
                       std::int64_t last_step) {
  const std::size_t column = step_column(header);
  std::string kept = header + '\n';
  if (kept.starts_with(text)) return kept;
  if (!text.starts_with(kept)) throw InputError("{}:1: expected the columns {}", path, header);
  text.remove_prefix(kept.size());
  for (int number = 2;; ++number) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return kept;
    const auto step = number_in_column(text.substr(0, end), column);
    if (!step) throw InputError("{}:{}: expected a number in column \"step\"", path, number);
    if (*step <= last_step) kept += text.substr(0, end + 1);
    text.remove_prefix(end + 1);
  }
}

/// Returns the step of the last line that was kept, -1 if there is only the header.
std::int64_t last_step_of(std::string_view kept, const std::string& header) {
  kept.remove_suffix(1);
  return number_in_column(kept.substr(kept.rfind('\n') + 1), step_column(header)).value_or(-1);
}

/// Writes what the file begins with; returns `path`.
const std::string& begin_csv(const std::string& path, const std::string& header, std::int64_t keep_through_step,
                             std::int64_t expected_step) {
  const bool keep = keep_through_step >= 0 && std::filesystem::exists(path);
  const std::string text = keep ? kept_lines(read_csv(path), path, header, keep_through_step) : header + '\n';
  if (last_step_of(text, header) < expected_step)
    throw InputError(
        "{}: expected rows through step {}, which the checkpoint has passed; without them, choose another "
        "--out",
        path, expected_step);
  if (keep)
    replace_file(path, text);
  else
    replace_unsynced(path, text);  // nothing to lose until the first checkpoint, which syncs the lines it needs
  return path;
}

}  // namespace

std::string metrics_header(const std::vector<std::string>& scores, bool counts_syncs) {
  std::string header =
      "replica,step,epoch,lr,train_loss,test_loss,loss_mean_model,accuracy_mean,accuracy_min,accuracy_max,"
      "accuracy_mean_model,consensus,u_sum,u_min,u_max,error_ratio,messages,bytes_authors,bytes_coo32,bytes_wire,"
      "bytes_dense";
  if (counts_syncs) header += ",syncs";
  for (const std::string& score : scores)
    if (score != kAccuracy) header += fmt::format(",{0}_mean,{0}_min,{0}_max,{0}_mean_model", score);
  return header;
}

std::string metrics_line(const MetricsRow& row) {
  const auto accuracy = [&row](double ScoreSummary::*of) {
    return row.accuracy ? std::optional((*row.accuracy).*of) : std::nullopt;
  };
  std::string line =
      join(std::int64_t{row.replica}, row.step, row.epoch, row.lr, row.train_loss, row.test_loss, row.loss_mean_model,
           accuracy(&ScoreSummary::mean), accuracy(&ScoreSummary::min), accuracy(&ScoreSummary::max),
           accuracy(&ScoreSummary::mean_model), row.consensus, row.u_sum, row.u_min, row.u_max, row.error_ratio,
           row.messages, row.bytes_authors, row.bytes_coo32, row.bytes_wire, row.bytes_dense);
  if (row.syncs) line += ',' + field(*row.syncs);
  for (const ScoreSummary& score : row.other_scores)
    line += ',' + join(score.mean, score.min, score.max, score.mean_model);
  return line;
}

std::vector<std::string> node_lines(const MetricsRow& row) {
  std::vector<std::string> lines;
  for (const NodeScores& scores : row.nodes)
    lines.push_back(join(std::int64_t{row.replica}, row.step, std::int64_t{scores.node}, scores.loss, scores.accuracy));
  return lines;
}

CsvFile::CsvFile(const std::string& path, const std::string& header, std::int64_t keep_through_step,
                 std::int64_t expected_step)
    : file_(begin_csv(path, header, keep_through_step, expected_step), O_WRONLY | O_APPEND) {}

void CsvFile::append(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  file_.append(text);
}

}  // namespace sparsepush
