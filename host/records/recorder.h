// What runs leave behind, and when; and what they tell their caller meanwhile.
#pragma once
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/records/checkpoint.h"
#include "host/records/run_folder.h"
#include "host/records/run_position.h"
#include "host/records/run_record.h"
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

/// When the runs of an experiment are measured and saved. One for all shards of a process; all shards call `begin` and
/// `record` together. A run that diverges ends, and the others go on.
class Recorder {
 public:
  /// Places: [runs]. Looks with `resume` for checkpoints. Throws InputError if there is one that its run cannot go on
  /// from, or of another step than the other runs'. Several runs are for one shard.
  Recorder(const Experiment& experiment, const std::vector<RunPlace>& places, const std::string& backend, bool resume,
           Caller caller);
  /// Of an experiment with a single run, whose lines the caller hears.
  Recorder(const Experiment& experiment, const RunFolder& folder, const std::string& backend, bool resume,
           const Caller& caller);

  /// Of a process without shard 0, which has no files: the run goes on from `resumed`, if at all, which shard 0 found.
  Recorder(const Experiment& experiment, std::optional<CheckpointHead> resumed, Caller caller);

  /// What the runs go on from.
  const std::optional<CheckpointHead>& resumed() const { return resumed_; }
  /// The checkpoints are the runs' end: nothing is left to do.
  bool finished() const;

  /// Goes on from the checkpoints, or records the initial state.
  template <class Backend>
  void begin(Emulator<Backend>& emulator);
  /// Measures and saves what is due after a step or final round. A request cuts a test off, so that it does not wait:
  /// after one to save, the test begins again.
  template <class Backend>
  void record(Emulator<Backend>& emulator);
  /// Does what the caller has asked for: writes checkpoints, and says whether to stop.
  template <class Backend>
  bool stopped(Emulator<Backend>& emulator);
  /// Whether the last test was cut off by a request to stop.
  bool untested() const { return untested_; }

  /// Writes summary.json of finished runs that were killed before they could.
  void complete();
  /// Ends runs that have diverged, for these reasons: [runs], empty where one has not.
  void end_lost(const std::vector<std::string>& reasons);
  /// Ends all others; as RunRecord::summarize.
  void summarize(const std::string& status, const std::string& reason = "");

 private:
  /// Whether a run is still to be written, by whichever process.
  bool is_open(int run) const { return records_.empty() || records_[run].is_open(); }
  /// Where its checkpoint is, in a process that writes it.
  std::string checkpoint_of(int run) const { return records_.empty() ? "" : records_[run].checkpoint(); }
  int runs() const { return static_cast<int>(experiment_.runs().size()); }
  /// False if it was cut off.
  template <class Backend>
  bool measure(Emulator<Backend>& emulator);
  /// Watches a test, from any of its threads: whether to go on, after `models` more.
  bool goes_on(double models);
  template <class Backend>
  void save(Emulator<Backend>& emulator);
  template <class Backend>
  void save_run(Emulator<Backend>& emulator, int run, const SavedCounts& counts);
  /// Tells the caller that the runs are at `step`, or in the test of that step.
  void tell(std::int64_t step, bool testing);
  RunPosition position() const;
  /// How many models an evaluation tests: of nodes, which may be `equal`, and in every shard the mean.
  double models_to_test(bool equal) const;

  const Experiment& experiment_;
  std::deque<RunRecord> records_;  ///< [runs]; none in a process without shard 0
  std::optional<CheckpointHead> resumed_;
  Caller caller_;
  std::mutex asking_;                   ///< the caller, during a test
  std::atomic<bool> cut_off_ = false;   ///< the test that is under way, by a request
  std::atomic<bool> untested_ = false;  ///< the evaluation that is due at `step_` is still to come
  std::atomic<double> tested_ = 0;      ///< models, so far
  double tested_before_ = 0;            ///< the test that is under way
  std::int64_t step_ = 0, saved_step_ = -1;
  bool testing_ = false, saved_untested_ = false;
};

}  // namespace sparsepush
