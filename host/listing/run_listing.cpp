#include "host/listing/run_listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "data/files/csv.h"
#include "data/memory_plan.h"
#include "host/listing/aligned.h"

namespace sparsepush {
namespace {

template <class Number>
std::string cell(const std::optional<Number>& value, fmt::format_string<Number&> format) {
  Number number = value.value_or(Number());
  return value ? fmt::format(format, number) : "";
}

std::string percent(const std::optional<double>& fraction) {
  return fraction ? fmt::format("{:.2f} %", 100 * *fraction) : "";
}

}  // namespace

std::vector<RunLine> read_run_lines(const std::vector<FoundFolder>& folders) {
  std::vector<RunLine> lines;
  for (const FoundFolder& folder : folders) lines.push_back(read_run_line(folder));
  std::ranges::sort(lines, {}, [](const RunLine& line) { return std::tie(line.changed, line.folder); });
  return lines;
}

std::string run_lines_csv(const std::vector<RunLine>& lines) {
  std::string text =
      "folder,status,method,keep,data,partition,topology,nodes,replicas,step,accuracy_mean,accuracy_mean_model,"
      "test_loss,bytes_wire,seconds,finished,version,config_hash\n";
  for (const RunLine& line : lines) {
    CsvLine csv;
    csv.add(line.folder).add(line.status).add(line.method).add(line.keep).add(line.data).add(line.partition);
    csv.add(line.topology).add(line.nodes).add(line.replicas).add(line.step).add(line.accuracy_mean);
    csv.add(line.accuracy_mean_model).add(line.test_loss).add(number_word(line.bytes_wire)).add(line.seconds);
    text += csv.add(line.finished).add(line.version).add(line.config_hash).end();
  }
  return text;
}

std::string run_lines_text(const std::vector<RunLine>& lines) {
  if (lines.empty()) return "";
  std::vector<std::vector<std::string>> rows = {{"folder", "status", "method", "keep", "data", "partition", "topology",
                                                 "nodes", "replicas", "step", "accuracy", "mean model", "test loss",
                                                 "sent", "seconds", "finished"}};
  for (const RunLine& line : lines)
    rows.push_back({on_one_line(line.folder), line.status, on_one_line(line.method), cell(line.keep, "{:g}"),
                    on_one_line(line.data), on_one_line(line.partition), on_one_line(line.topology),
                    cell(line.nodes, "{}"), cell(line.replicas, "{}"), cell(line.step, "{}"),
                    percent(line.accuracy_mean), percent(line.accuracy_mean_model), cell(line.test_loss, "{:.4g}"),
                    line.bytes_wire ? format_bytes(*line.bytes_wire) : "", cell(line.seconds, "{:.1f}"),
                    line.finished});
  return aligned(rows);
}

}  // namespace sparsepush
