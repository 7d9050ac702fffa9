// What a run leaves behind: rows, checkpoints, log and summary in its folder; and what it tells its caller meanwhile.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/records/checkpoint.h"
#include "host/records/guards.h"
#include "host/records/metrics.h"
#include "host/records/run_folder.h"
#include "host/state/emulator.h"

namespace sparsepush {

/// Who started a run: what it asks and tells them, between two steps and from one thread.
struct Caller {
  std::function<bool()> stop = [] { return false; };                      ///< whether to save and end
  std::function<void(const std::string& line)> say = [](const auto&) {};  ///< the backend, results of evaluations
  std::function<void(std::int64_t step, std::int64_t last)> progress = [](auto, auto) {};  ///< at the start, each step
};

/// One for all shards of a run; they call `begin` and `record` together.
class Recorder {
 public:
  /// With `resume`, looks for a checkpoint in the folder. Throws InputError if there is one that this run cannot go on
  /// from. `backend` begins with its name, as describe_backend writes it.
  Recorder(const Experiment& experiment, const RunFolder& folder, std::string backend, bool resume, Caller caller);

  /// The checkpoint is the run's end: nothing is left to do.
  bool finished() const { return resumed_ && resumed_->step >= experiment_.schedule().end(); }

  /// Goes on from the checkpoint, or records the initial state.
  template <class Backend>
  void begin(Emulator<Backend>& emulator);
  /// Measures and saves what is due after a step or final round.
  template <class Backend>
  void record(Emulator<Backend>& emulator);
  /// Whether the caller has asked to stop; a checkpoint is then written first.
  template <class Backend>
  bool stopped(Emulator<Backend>& emulator);

  /// Writes summary.json; `status` is finished, interrupted, diverged or failed, the last two for a `reason`.
  void summarize(const std::string& status, const std::string& reason = "");

 private:
  void open_files();
  template <class Backend>
  void measure(Emulator<Backend>& emulator);
  template <class Backend>
  void save(Emulator<Backend>& emulator);
  void warn(const std::string& line);
  double seconds() const;

  const Experiment& experiment_;
  const RunFolder& folder_;
  std::string backend_, checkpoint_;
  std::optional<CheckpointHead> resumed_;
  Caller caller_;
  GrowthGuard growth_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::optional<CsvFile> metrics_, nodes_, timing_;
  std::unique_ptr<SafetensorsWriter> writing_;  ///< the checkpoint that all shards write to
  std::vector<MetricsRow> last_rows_;
};

}  // namespace sparsepush
