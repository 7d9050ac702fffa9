#include "host/reports/report_run.h"

#include <nlohmann/json.hpp>

#include "data/files/input_error.h"
#include "data/files/whole_file.h"
#include "host/records/run_times.h"
#include "host/records/saved_config.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  if (std::error_code error; !fs::is_regular_file(path, error)) return "";  // a pipe would wait
  return text_of(path);
}

/// Adds what summary.json says; a run that goes on or was killed has none.
void add_summary(const nlohmann::json& summary, ReportRun& run) {
  run.status = summary.value("status", "");
  run.reason = summary.value("reason", "");
  run.version = summary.value("version", "");
  run.device = summary.value("device", summary.value("backend", ""));
  run.sgd_steps = summary.value("sgd_steps", run.sgd_steps);
}

/// Reads the run's times; without them there is still much to show.
std::vector<RunTime> times_of(ReportRun& run) try { return read_run_times(run.folder); } catch (const InputError&) {
  run.left_out.emplace_back("seconds: timing.csv is damaged");
  return {};
}

}  // namespace

std::int64_t ReportRun::last_step() const {
  const ReplicaMetrics& first = metrics.front();
  return static_cast<std::int64_t>(first.rows.back()[first.column("step")]);
}

ReportRun read_report_run(const fs::path& folder) {
  if (std::error_code error; !fs::is_regular_file(folder / "config.toml", error))
    throw InputError("{}: expected a file", (folder / "config.toml").string());
  ReportRun run{.folder = folder, .config = load_saved_config(folder.string(), {}), .status = "not ended"};
  run.config_text = content_of(folder / "config.toml");
  const std::vector<RunTime> times = times_of(run);
  RunMetrics metrics = read_run_metrics(folder, times, run.config.run.replicas, {});
  run.metrics = std::move(metrics.replicas);
  if (metrics.is_torn) run.left_out.emplace_back("the last line of metrics.csv, which is torn");
  for (const ReplicaMetrics& replica : run.metrics)
    if (replica.rows.empty())
      throw InputError("{}: expected rows of {} replicas", (folder / "metrics.csv").string(), run.metrics.size());
  run.sgd_steps = run.config.run.steps > 0 ? run.config.run.steps : run.last_step();
  const auto summary = nlohmann::json::parse(content_of(folder / "summary.json"), nullptr, false);
  if (summary.is_object()) add_summary(summary, run);
  if (!times.empty()) run.seconds = times.back().seconds;
  return run;
}

}  // namespace sparsepush
