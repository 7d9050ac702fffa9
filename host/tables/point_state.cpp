#include "host/tables/point_state.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "data/files/safetensors.h"
#include "data/files/whole_file.h"
#include "host/records/run_times.h"
#include "host/records/saved_config.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

/// Returns the day on which the run's log ends.
std::string last_date(const fs::path& folder) {
  constexpr std::size_t kDate = 10;  // YYYY-MM-DD
  std::string log = text_of(folder / "log.txt");
  while (log.ends_with('\n')) log.pop_back();
  const std::string line = log.substr(log.rfind('\n') + 1);
  return line.size() > kDate ? line.substr(0, kDate) : "";
}

/// Finds the replica that a divergence names: the only one where it names none.
int replica_in(const std::string& reason) {
  constexpr std::string_view kBefore = " of replica ";
  const std::size_t at = reason.find(kBefore);
  int replica = 0;
  if (at != std::string::npos)
    std::from_chars(reason.data() + at + kBefore.size(), reason.data() + reason.size(), replica);
  return replica;
}

std::optional<SavedPosition> saved_position(const fs::path& folder) try {
  const SafetensorsReader checkpoint(folder / "checkpoint.safetensors");
  return SavedPosition{.step = checkpoint.read<std::int64_t>("step").at(0),
                       .untested = checkpoint.metadata().contains("untested")};
} catch (const std::exception&) {  // there is none, or it is damaged: that is for the run to say
  return std::nullopt;
}

bool is_begun(const fs::path& folder) {
  std::error_code error;
  return std::ranges::any_of(fs::directory_iterator(folder, error),
                             [](const fs::directory_entry& entry) { return entry.path().filename() != ".lock"; });
}

/// Returns whether a summary is of this point: digits in the folder's name are few, and folders are copied by hand.
bool is_of_point(const nlohmann::json& summary, const PointPlan& plan) {
  return summary.value("config_hash", plan.hash) == plan.hash &&
         summary.value("sgd_steps", plan.sgd_steps) == plan.sgd_steps &&
         summary.value("final_rounds", plan.final_rounds) == plan.final_rounds;
}

void read_summary(const fs::path& folder, const TablePoint& point, const PointPlan& plan, PointState& state) {
  if (!is_begun(folder)) return;
  state.status = Status::kFailed;
  state.reason = "it was ended while it ran";
  const auto summary = nlohmann::json::parse(text_of(folder / "summary.json"), nullptr, false);
  if (!summary.is_object()) return;
  const std::string status = summary.value("status", "");
  const bool has_ended = status == "finished" || status == "diverged";  // an unfinished one is compared as it goes on
  if (has_ended && !is_of_point(summary, plan)) {
    const std::string differences = differences_from_saved(folder.string(), point.config);
    state.reason = "its folder holds another configuration" + (differences.empty() ? "" : ": " + differences);
    return;
  }
  if (status == "finished") state.status = Status::kFinished;
  if (status == "diverged") state.status = Status::kDiverged;
  if (status == "interrupted") state.status = Status::kInterrupted;
  state.reason = summary.value("reason", "");
  if (state.status == Status::kDiverged) state.diverged_replica = replica_in(state.reason);
  state.version = summary.value("version", "");
  state.device = summary.value("device", summary.value("backend", ""));
  state.date = last_date(folder);
}

}  // namespace

std::string word_of(Status status) {
  switch (status) {
    case Status::kWaiting:
      return "waiting";
    case Status::kRunning:
      return "running";
    case Status::kFinished:
      return "finished";
    case Status::kDiverged:
      return "diverged";
    case Status::kFailed:
      return "failed";
    case Status::kInterrupted:
      return "interrupted";
  }
  return "";
}

PointState read_point_state(const fs::path& points, const std::string& name, const TablePoint& point,
                            const PointPlan& plan) {
  const fs::path folder = points / name;
  PointState state{.folder = name};
  try {
    read_summary(folder, point, plan, state);
    if (state.status == Status::kWaiting) return state;
    const std::int64_t end = plan.sgd_steps + plan.final_rounds;
    const bool finished = state.status == Status::kFinished;
    const std::vector<RunTime> times = read_run_times(folder);
    if (finished)
      state.metrics = read_run_metrics(folder, times, point.config.run.replicas, {plan.sgd_steps, end}).replicas;
    else
      state.saved = saved_position(folder);
    state.steps_done = finished ? end : state.saved.value_or(SavedPosition{}).step;
    if (!times.empty()) state.seconds = times.back().seconds;
  } catch (const std::exception& error) {
    state.damaged = state.status == Status::kFinished;
    state.status = Status::kFailed;
    state.metrics.clear();
    state.saved = saved_position(folder);
    state.reason = error.what();
    if (state.damaged) state.reason += " (--retry trains it again from its beginning)";
  }
  return state;
}

}  // namespace sparsepush
