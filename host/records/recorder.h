// What a run leaves behind: rows, checkpoints, log and summary in its folder; and what it tells its caller meanwhile.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/records/checkpoint.h"
#include "host/records/guards.h"
#include "host/records/metrics.h"
#include "host/records/run_folder.h"
#include "host/records/run_position.h"
#include "host/records/tensorboard.h"
#include "host/state/emulator.h"

namespace sparsepush {

enum class Request { kNone, kSave, kStop };

/// Who started a run: what it asks and tells them, between two steps or two batches of a test, one thread at a time.
struct Caller {
  /// What to do now: nothing, to save and go on, to save and end. A request to save is for one time.
  std::function<Request()> request = [] { return Request::kNone; };
  std::function<void(const std::string& line)> say = [](const auto&) {};  ///< the backend, results of evaluations
  std::function<void(const RunPosition&)> progress = [](const auto&) {};  ///< at the start, each step, during tests
};

/// One for all shards of a run; they call `begin` and `record` together.
class Recorder {
 public:
  /// With `resume`, looks for a checkpoint in the folder. Throws InputError if there is one that this run cannot go on
  /// from. `backend` begins with its name, as describe_backend writes it.
  Recorder(const Experiment& experiment, const RunFolder& folder, std::string backend, bool resume, Caller caller);

  /// The checkpoint is the run's end: nothing is left to do.
  bool finished() const { return resumed_ && resumed_->step >= experiment_.schedule().end() && !resumed_->untested; }

  /// Goes on from the checkpoint, or records the initial state.
  template <class Backend>
  void begin(Emulator<Backend>& emulator);
  /// Measures and saves what is due after a step or final round. A request cuts a test off, so that it does not wait:
  /// after one to save, the test begins again.
  template <class Backend>
  void record(Emulator<Backend>& emulator);
  /// Does what the caller has asked for: writes a checkpoint, and says whether to stop.
  template <class Backend>
  bool stopped(Emulator<Backend>& emulator);
  /// Whether the last test was cut off by a request to stop.
  bool untested() const { return untested_; }

  /// Writes summary.json of a finished run that was killed before it could.
  void complete();
  /// Writes summary.json; `status` is finished, interrupted, diverged or failed, the last two for a `reason`.
  void summarize(const std::string& status, const std::string& reason = "");

 private:
  void open_files();
  void begin_tensorboard();
  /// False if it was cut off.
  template <class Backend>
  bool measure(Emulator<Backend>& emulator);
  /// Watches a test, from any of its threads: whether to go on, after `models` more.
  bool goes_on(double models);
  template <class Backend>
  void save(Emulator<Backend>& emulator);
  /// Tells the caller that the run is at `step`, or in the test of that step.
  void tell(std::int64_t step, bool testing);
  RunPosition position() const;
  void warn(const std::string& line);
  double seconds() const;

  const Experiment& experiment_;
  const RunFolder& folder_;
  std::string backend_;
  std::string device_;  ///< what it runs on, such as "cpu, 2 threads, Intel(R) Xeon(R) Platinum 8480+"
  std::string checkpoint_;
  std::optional<CheckpointHead> resumed_;
  Caller caller_;
  GrowthGuard growth_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::optional<CsvFile> metrics_, nodes_, timing_;
  std::optional<TensorBoardFiles> tensorboard_;
  std::mutex asking_;                   ///< the caller, during a test
  std::atomic<bool> cut_off_ = false;   ///< the test that is under way, by a request
  std::atomic<bool> untested_ = false;  ///< the evaluation that is due at `step_` is still to come
  std::atomic<double> tested_ = 0;      ///< models, so far
  double tested_before_ = 0;            ///< the test that is under way
  std::int64_t step_ = 0, saved_step_ = -1;
  bool testing_ = false, saved_untested_ = false;
  std::unique_ptr<SafetensorsWriter> writing_;  ///< the checkpoint that all shards write to
  std::vector<MetricsRow> last_rows_;
};

}  // namespace sparsepush
