#include "host/records/run_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/files/input_error.h"
#include "data/memory_plan.h"
#include "host/records/saved_config.h"
#include "host/records/version.h"
#include "kernels/backend/processors.h"

namespace sparsepush {
namespace {

/// Refuses to go on from a checkpoint that a run of this length would not have passed through.
void check_length(const CheckpointHead& head, const Schedule& schedule, const std::string& path) {
  const bool merged = head.step > head.sgd_steps;
  if (merged && head.sgd_steps != schedule.sgd_steps())
    throw InputError(
        "{}: the final rounds after step {} have begun, so the run cannot be given {} steps; choose another --out",
        path, head.sgd_steps, schedule.sgd_steps());
  if (head.step > schedule.end())
    throw InputError("{}: is at step {}, beyond the {} steps of this run; choose another --out", path, head.step,
                     schedule.end());
}

std::string evaluation_line(const MetricsRow& row, int replicas) {
  std::string line = fmt::format("step {}", row.step);
  if (replicas > 1) line = fmt::format("replica {} {}", row.replica, line);
  if (row.train_loss) line += fmt::format("  train loss {:.4g}", *row.train_loss);
  line += fmt::format("  test loss {:.4g}", row.test_loss.value_or(0));
  if (row.accuracy)
    line += fmt::format("  accuracy {:.2f} % ({:.2f} to {:.2f}), mean model {:.2f} %", 100 * row.accuracy->mean,
                        100 * row.accuracy->min, 100 * row.accuracy->max, 100 * row.accuracy->mean_model);
  if (row.consensus) line += fmt::format("  consensus {:.3g}", *row.consensus);
  if (row.syncs) line += fmt::format("  syncs {}", *row.syncs);
  return line + fmt::format("  sent {}", format_bytes(static_cast<double>(row.bytes_wire)));
}

nlohmann::json summary_of(const MetricsRow& row) {
  const auto number = [](const std::optional<double>& v) { return v ? nlohmann::json(*v) : nlohmann::json(nullptr); };
  const auto accuracy = [&](double ScoreSummary::*of) {
    return row.accuracy ? nlohmann::json((*row.accuracy).*of) : nlohmann::json(nullptr);
  };
  nlohmann::json summary = {{"replica", row.replica},
                            {"step", row.step},
                            {"test_loss", number(row.test_loss)},
                            {"loss_mean_model", number(row.loss_mean_model)},
                            {"accuracy_mean", accuracy(&ScoreSummary::mean)},
                            {"accuracy_min", accuracy(&ScoreSummary::min)},
                            {"accuracy_max", accuracy(&ScoreSummary::max)},
                            {"accuracy_mean_model", accuracy(&ScoreSummary::mean_model)},
                            {"consensus", number(row.consensus)},
                            {"u_sum", row.u_sum},
                            {"messages", row.messages},
                            {"bytes_authors", row.bytes_authors},
                            {"bytes_coo32", row.bytes_coo32},
                            {"bytes_wire", row.bytes_wire},
                            {"bytes_dense", row.bytes_dense}};
  if (row.syncs) summary["syncs"] = *row.syncs;
  return summary;
}

}  // namespace

RunRecord::RunRecord(const Experiment& experiment, int run, RunPlace place, std::string backend, bool resume)
    : experiment_(experiment),
      run_(run),
      config_(experiment.runs().at(run).config),
      place_(std::move(place)),
      backend_(std::move(backend)),
      device_(backend_.starts_with("cpu") ? backend_ + ", " + processor_name() : backend_),
      checkpoint_(place_.folder->file("checkpoint.safetensors")),
      growth_(experiment, run) {
  if (resume && std::filesystem::exists(checkpoint_)) {
    resumed_ = read_checkpoint_head(checkpoint_, experiment, run);
    check_length(*resumed_, experiment.schedule(), checkpoint_);
  }
}

void RunRecord::open_files() {
  const Schedule& schedule = experiment_.schedule();
  const RunFolder& folder = *place_.folder;
  std::int64_t keep = -1;
  if (resumed_) {
    // A shorter run's last row has no place in a longer one, unless it was due anyway.
    const bool lengthened = resumed_->step == resumed_->sgd_steps && resumed_->sgd_steps < schedule.sgd_steps();
    const bool row_goes = resumed_->untested || (lengthened && !schedule.evaluates_by_cadence(resumed_->step));
    keep = row_goes ? resumed_->step - 1 : resumed_->step;
  }
  const bool counts_syncs = contains(experiment_.recipe().method.state, state::syncs);
  metrics_.emplace(folder.file("metrics.csv"), metrics_header(experiment_.task().scores(), counts_syncs), keep,
                   keep >= 0 ? schedule.last_evaluation_by_cadence(keep) : -1);
  nodes_.emplace(folder.file("nodes.csv"), std::string(kNodesHeader), keep);
  timing_.emplace(folder.file("timing.csv"), "step,seconds", keep);
  save_config(folder, config_);
  const ReplicaRange replicas = experiment_.runs()[run_].replicas();
  if (const std::string table = experiment_.task().partition_table(replicas); !table.empty())
    folder.write_text("partition.csv", table);
  begin_tensorboard();
  place_.say("backend: " + backend_);
  log(fmt::format("{} on {}", resumed_ ? fmt::format("resumed at step {}", resumed_->step) : "started", backend_));
  for (const std::string& line : warnings_before(experiment_, run_)) warn(line);
}

void RunRecord::begin_tensorboard() {
  if (config_.run.tensorboard) tensorboard_.emplace(*place_.folder, config_);
}

void RunRecord::append(std::vector<MetricsRow> rows) {
  std::vector<std::string> lines, of_nodes;
  for (const MetricsRow& row : rows) {
    lines.push_back(metrics_line(row));
    std::ranges::copy(node_lines(row), std::back_inserter(of_nodes));
    place_.say(evaluation_line(row, config_.run.replicas));
    if (const auto warning = growth_.look_at(row)) warn(*warning);
  }
  metrics_->append(lines);
  nodes_->append(of_nodes);
  const double now = seconds();
  timing_->append({fmt::format("{},{:.3f}", rows.front().step, now)});
  if (tensorboard_) tensorboard_->append(lines, now);
  last_rows_ = std::move(rows);
}

void RunRecord::sync() {
  metrics_->sync();
  nodes_->sync();
}

void RunRecord::warn(const std::string& line) {
  place_.say("warning: " + line);
  log("warning: " + line);
}

double RunRecord::seconds() const {
  const double all = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  return all * config_.run.replicas / experiment_.config().run.replicas;
}

void RunRecord::complete() {
  std::ifstream file(place_.folder->file("summary.json"), std::ios::binary);
  const auto summary = nlohmann::json::parse(file, nullptr, false);
  begin_tensorboard();
  if (!summary.is_object() || summary.value("status", "") != "finished")
    summarize("finished");
  else if (tensorboard_)
    tensorboard_->end(true);
}

void RunRecord::summarize(const std::string& status, const std::string& reason) {
  auto replicas = nlohmann::json::array();
  for (const MetricsRow& row : last_rows_) replicas.push_back(summary_of(row));
  nlohmann::json summary = {{"status", status},
                            {"version", version_line()},
                            {"backend", backend_.substr(0, backend_.find(','))},
                            {"device", device_},
                            {"config_hash", experiment_.hash(run_)},
                            {"sgd_steps", experiment_.schedule().sgd_steps()},
                            {"final_rounds", experiment_.schedule().final_rounds()},
                            {"seconds", seconds()},
                            {"replicas", replicas}};
  if (!reason.empty()) summary["reason"] = reason;
  is_open_ = false;
  place_.folder->write_text("summary.json", summary.dump(2) + "\n");
  log(reason.empty() ? status : reason);
  if (tensorboard_ && status != "interrupted") tensorboard_->end(status == "finished");
}

}  // namespace sparsepush
