#include "host/records/recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

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

/// How many models an evaluation tests: of nodes, which may be `equal`, and in every shard the mean.
double models_to_test(const Experiment& experiment, bool equal) {
  const RunConfig& run = experiment.config().run;
  const int chosen = experiment.config().evaluate.nodes;
  const int nodes = equal ? 1 : chosen > 0 ? chosen : run.nodes;
  return static_cast<double>(run.replicas) * (nodes + run.shards);
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

Recorder::Recorder(const Experiment& experiment, const RunFolder& folder, std::string backend, bool resume,
                   Caller caller)
    : experiment_(experiment),
      folder_(folder),
      backend_(std::move(backend)),
      device_(backend_.starts_with("cpu") ? backend_ + ", " + processor_name() : backend_),
      checkpoint_(folder.file("checkpoint.safetensors")),
      caller_(std::move(caller)),
      growth_(experiment) {
  if (resume && std::filesystem::exists(checkpoint_)) {
    resumed_ = read_checkpoint_head(checkpoint_, experiment);
    check_length(*resumed_, experiment.schedule(), checkpoint_);
  }
}

void Recorder::open_files() {
  const Schedule& schedule = experiment_.schedule();
  std::int64_t keep = -1;
  if (resumed_) {
    // A shorter run's last row has no place in a longer one, unless it was due anyway.
    const bool lengthened = resumed_->step == resumed_->sgd_steps && resumed_->sgd_steps < schedule.sgd_steps();
    const bool row_goes = resumed_->untested || (lengthened && !schedule.evaluates_by_cadence(resumed_->step));
    keep = row_goes ? resumed_->step - 1 : resumed_->step;
  }
  const bool counts_syncs = contains(experiment_.rows().method.state, state::syncs);
  metrics_.emplace(folder_.file("metrics.csv"), metrics_header(experiment_.task().scores(), counts_syncs), keep,
                   keep >= 0 ? schedule.last_evaluation_by_cadence(keep) : -1);
  nodes_.emplace(folder_.file("nodes.csv"), std::string(kNodesHeader), keep);
  timing_.emplace(folder_.file("timing.csv"), "step,seconds", keep);
  save_config(folder_, experiment_.config());
  if (const std::string table = experiment_.task().partition_table(); !table.empty())
    folder_.write_text("partition.csv", table);
  begin_tensorboard();
  caller_.say("backend: " + backend_);
  tell(resumed_ ? resumed_->step : 0, false);
  folder_.log(
      fmt::format("{} on {}", resumed_ ? fmt::format("resumed at step {}", resumed_->step) : "started", backend_));
  for (const std::string& line : warnings_before(experiment_)) warn(line);
}

void Recorder::begin_tensorboard() {
  if (experiment_.config().run.tensorboard) tensorboard_.emplace(folder_, experiment_.config());
}

template <class Backend>
void Recorder::begin(Emulator<Backend>& emulator) {
  if (emulator.nodes().shard.index == 0) open_files();
  if (resumed_) {
    read_checkpoint(checkpoint_, emulator);
    if (resumed_->untested) record(emulator);
  } else {
    if (const std::string& start = experiment_.config().run.start; !start.empty()) read_start(start, emulator);
    record(emulator);
  }
}

template <class Backend>
void Recorder::record(Emulator<Backend>& emulator) {
  const Schedule& schedule = experiment_.schedule();
  if (schedule.evaluates_at(emulator.step())) {
    while (!measure(emulator)) {
      save(emulator);
      if (stopped(emulator)) return;
    }
  }
  if (schedule.checkpoints_at(emulator.step())) save(emulator);
  if (emulator.nodes().shard.index == 0) tell(emulator.step(), false);
}

template <class Backend>
bool Recorder::stopped(Emulator<Backend>& emulator) {
  Transport<Backend>& transport = emulator.nodes().transport;
  const Request request = transport.shard().index == 0 ? caller_.request() : Request::kNone;
  if (!transport.broadcast(request != Request::kNone)) return false;
  if (saved_step_ != emulator.step() || (saved_untested_ && !untested_)) save(emulator);
  return transport.broadcast(request == Request::kStop);
}

bool Recorder::goes_on(double models) {
  tested_ += models;
  const std::unique_lock turn(asking_, std::try_to_lock);  // one thread that asks is enough
  if (turn && !cut_off_) {
    const Request request = caller_.request();
    cut_off_ = request == Request::kStop || (request == Request::kSave && saved_step_ != step_);
    caller_.progress(position());
  }
  return !cut_off_;
}

void Recorder::tell(std::int64_t step, bool testing) {
  step_ = step;
  testing_ = testing;
  tested_before_ = tested_;
  caller_.progress(position());
}

RunPosition Recorder::position() const {
  const Schedule& schedule = experiment_.schedule();
  RunPosition position{.step = step_, .last = schedule.end(), .tested = tested_};
  position.left_to_test = models_to_test(experiment_, false) * static_cast<double>(schedule.evaluations_after(step_));
  if (testing_) {
    const double all = models_to_test(experiment_, experiment_.nodes_are_equal_at(step_));
    position.testing = std::min(1.0, (position.tested - tested_before_) / all);
    position.left_to_test += (1 - *position.testing) * all;
  }
  return position;
}

template <class Backend>
bool Recorder::measure(Emulator<Backend>& emulator) {
  const bool first = emulator.nodes().shard.index == 0;
  if (first) tell(emulator.step(), true);
  auto rows = emulator.measure(experiment_.schedule().evaluates_by_cadence(emulator.step()),
                               [this](double models) { return goes_on(models); });
  untested_ = rows.empty();
  if (first) cut_off_ = false;  // no shard tests any more
  if (untested_) return false;
  if (!first) return true;
  std::vector<std::string> lines, of_nodes;
  for (const MetricsRow& row : rows) {
    lines.push_back(metrics_line(row));
    std::ranges::copy(node_lines(row), std::back_inserter(of_nodes));
    caller_.say(evaluation_line(row, static_cast<int>(rows.size())));
    if (const auto warning = growth_.look_at(row)) warn(*warning);
  }
  metrics_->append(lines);
  nodes_->append(of_nodes);
  const double now = seconds();
  timing_->append({fmt::format("{},{:.3f}", emulator.step(), now)});
  if (tensorboard_) tensorboard_->append(lines, now);
  last_rows_ = std::move(rows);
  return true;
}

template <class Backend>
void Recorder::save(Emulator<Backend>& emulator) {
  emulator.check_finite();
  Transport<Backend>& transport = emulator.nodes().transport;
  const bool first = transport.shard().index == 0;
  if (first) {
    metrics_->sync();
    nodes_->sync();
    writing_ = std::make_unique<SafetensorsWriter>(open_checkpoint(checkpoint_, emulator, untested_));
  }
  transport.barrier();
  write_checkpoint(*writing_, emulator);
  transport.barrier();
  if (first) {
    writing_->commit();
    writing_.reset();
    saved_step_ = emulator.step();
    saved_untested_ = untested_;
  }
  transport.barrier();
}

void Recorder::warn(const std::string& line) {
  caller_.say("warning: " + line);
  folder_.log("warning: " + line);
}

double Recorder::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void Recorder::complete() {
  std::ifstream file(folder_.file("summary.json"), std::ios::binary);
  const auto summary = nlohmann::json::parse(file, nullptr, false);
  begin_tensorboard();
  if (!summary.is_object() || summary.value("status", "") != "finished")
    summarize("finished");
  else if (tensorboard_)
    tensorboard_->end(true);
}

void Recorder::summarize(const std::string& status, const std::string& reason) {
  auto replicas = nlohmann::json::array();
  for (const MetricsRow& row : last_rows_) replicas.push_back(summary_of(row));
  nlohmann::json summary = {{"status", status},
                            {"version", version_line()},
                            {"backend", backend_.substr(0, backend_.find(','))},
                            {"device", device_},
                            {"config_hash", experiment_.hash()},
                            {"sgd_steps", experiment_.schedule().sgd_steps()},
                            {"final_rounds", experiment_.schedule().final_rounds()},
                            {"seconds", seconds()},
                            {"replicas", replicas}};
  if (!reason.empty()) summary["reason"] = reason;
  folder_.write_text("summary.json", summary.dump(2) + "\n");
  folder_.log(reason.empty() ? status : reason);
  if (tensorboard_ && status != "interrupted") tensorboard_->end(status == "finished");
}

template void Recorder::begin(Emulator<Cpu>&);
template void Recorder::record(Emulator<Cpu>&);
template bool Recorder::stopped(Emulator<Cpu>&);
template void Recorder::begin(Emulator<Cuda>&);
template void Recorder::record(Emulator<Cuda>&);
template bool Recorder::stopped(Emulator<Cuda>&);

}  // namespace sparsepush
