#include "host/records/recorder.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "data/files/input_error.h"
#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

/// Returns whether runs can go on together from these checkpoints.
bool same_place(const CheckpointHead& a, const CheckpointHead& b) {
  return a.step == b.step && a.untested == b.untested && a.loss_steps == b.loss_steps;
}

/// Does `work` for every record. What fails for one is thrown once all have had their turn.
template <class Work>
void for_each(std::deque<RunRecord>& records, const Work& work) {
  std::exception_ptr failure;
  for (std::size_t run = 0; run < records.size(); ++run) try {
      work(records[run], run);
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

Recorder::Recorder(const Experiment& experiment, const std::vector<RunPlace>& places, const std::string& backend,
                   bool resume, Caller caller)
    : experiment_(experiment), caller_(std::move(caller)) {
  CHECK(static_cast<int>(places.size()) == runs(), "places ", places.size(), ", runs ", runs());
  CHECK(runs() == 1 || experiment.config().run.shards == 1, runs(), " runs on several shards");
  for (int run = 0; run < runs(); ++run) {
    records_.emplace_back(experiment, run, places[run], backend, resume);
    const auto &first = records_.front().resumed(), &own = records_.back().resumed();
    if (own.has_value() != first.has_value() || (own && !same_place(*own, *first)))
      throw InputError("{}: is at another step than the run beside it", places[run].folder->path().string());
  }
  resumed_ = records_.front().resumed();
}

Recorder::Recorder(const Experiment& experiment, std::optional<CheckpointHead> resumed, Caller caller)
    : experiment_(experiment), resumed_(resumed), caller_(std::move(caller)) {
  CHECK(runs() == 1, runs(), " runs on several shards");
}

Recorder::Recorder(const Experiment& experiment, const RunFolder& folder, const std::string& backend, bool resume,
                   const Caller& caller)
    : Recorder(experiment, {{&folder, caller.say}}, backend, resume, caller) {}

bool Recorder::finished() const {
  const auto& head = resumed();
  return head && head->step >= experiment_.schedule().end() && !head->untested;
}

template <class Backend>
void Recorder::begin(Emulator<Backend>& emulator) {
  if (emulator.nodes().shard.index == 0) {
    for (RunRecord& record : records_) record.open_files();
    tell(resumed() ? resumed()->step : 0, false);
  }
  if (resumed()) {
    for (int run = 0; run < runs(); ++run) read_checkpoint(checkpoint_of(run), emulator, run);
    if (resumed()->untested) record(emulator);
  } else {
    const std::string& start = experiment_.config().run.start;
    for (int run = 0; run < runs() && !start.empty(); ++run) read_start(start, emulator, run);
    record(emulator);
  }
}

template <class Backend>
void Recorder::record(Emulator<Backend>& emulator) {
  end_lost(emulator.lost());
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
  const bool first = transport.shard().index == 0;
  if (transport.broadcast(first && (saved_step_ != emulator.step() || (saved_untested_ && !untested_)))) save(emulator);
  return transport.broadcast(request == Request::kStop);
}

void Recorder::end_lost(const std::vector<std::string>& reasons) {
  for_each(records_, [&](RunRecord& record, std::size_t run) {
    if (record.is_open() && !reasons[run].empty()) record.summarize("diverged", reasons[run]);
  });
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

double Recorder::models_to_test(bool equal) const {
  int replicas = 0;
  for (std::size_t run = 0; run < records_.size(); ++run)
    if (records_[run].is_open()) replicas += experiment_.runs()[run].replicas().count;
  const int chosen = experiment_.config().evaluate.nodes;
  const RunConfig& run = experiment_.config().run;
  const int nodes = equal ? 1 : chosen > 0 ? chosen : run.nodes;
  return static_cast<double>(replicas) * (nodes + run.shards);
}

RunPosition Recorder::position() const {
  const Schedule& schedule = experiment_.schedule();
  RunPosition position{.step = step_, .last = schedule.end(), .tested = tested_};
  position.left_to_test = models_to_test(false) * static_cast<double>(schedule.evaluations_after(step_));
  if (testing_) {
    const double all = models_to_test(experiment_.nodes_are_equal_at(step_));
    position.testing = std::min(1.0, (position.tested - tested_before_) / all);
    position.left_to_test += (1 - *position.testing) * all;
  }
  return position;
}

template <class Backend>
bool Recorder::measure(Emulator<Backend>& emulator) {
  const bool first = emulator.nodes().shard.index == 0;
  if (first) tell(emulator.step(), true);
  const auto rows = emulator.measure(experiment_.schedule().evaluates_by_cadence(emulator.step()),
                                     [this](double models) { return goes_on(models); });
  end_lost(emulator.lost());
  untested_ = rows.empty();
  if (first) cut_off_ = false;  // no shard tests any more
  if (untested_) return false;
  if (!first) return true;
  for (std::size_t run = 0; run < records_.size(); ++run) {
    const auto [begin, count] = experiment_.runs()[run].replicas();
    std::vector<MetricsRow> own;
    for (MetricsRow row : rows) {
      if (row.replica < begin || row.replica >= begin + count) continue;
      row.replica -= begin;
      own.push_back(std::move(row));
    }
    if (!own.empty()) records_[run].append(std::move(own));
  }
  return true;
}

template <class Backend>
void Recorder::save(Emulator<Backend>& emulator) {
  emulator.check_finite();
  end_lost(emulator.lost());
  const SavedCounts counts = counts_to_save(emulator);
  for (int run = 0; run < runs(); ++run)
    if (is_open(run)) save_run(emulator, run, counts);
  if (emulator.nodes().shard.index == 0) {
    saved_step_ = emulator.step();
    saved_untested_ = untested_;
  }
  emulator.nodes().transport.barrier();
  if (emulator.nodes().shard.index == 0 || records_.empty()) caller_.saved();
}

template <class Backend>
void Recorder::save_run(Emulator<Backend>& emulator, int run, const SavedCounts& counts) {
  if (emulator.nodes().shard.index > 0) return write_checkpoint(nullptr, emulator, counts, run);
  records_[run].sync();
  SafetensorsWriter file = open_checkpoint(records_[run].checkpoint(), emulator, untested_, run);
  write_checkpoint(&file, emulator, counts, run);
  file.commit();
}

void Recorder::complete() {
  for_each(records_, [](RunRecord& record, std::size_t) { record.complete(); });
}

void Recorder::summarize(const std::string& status, const std::string& reason) {
  for_each(records_, [&](RunRecord& record, std::size_t) {
    if (record.is_open()) record.summarize(status, reason);
  });
}

template void Recorder::begin(Emulator<Cpu>&);
template void Recorder::record(Emulator<Cpu>&);
template bool Recorder::stopped(Emulator<Cpu>&);
template void Recorder::begin(Emulator<Cuda>&);
template void Recorder::record(Emulator<Cuda>&);
template bool Recorder::stopped(Emulator<Cuda>&);

}  // namespace sparsepush
