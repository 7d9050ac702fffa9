// What the user sees of a run while it goes on.
#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "host/records/run_position.h"

namespace sparsepush {

/// How far a run is, and how long that took.
struct ProgressState {
  std::int64_t first = 0;  ///< step that it began with, above 0 when resumed
  RunPosition at = {};
  double step_seconds = 0, test_seconds = 0;  ///< that steps and tests took since it began
};

/// "step 450 of 1000 (45 %), 123 steps/s, 0:04 left"; during a test "testing 37 %" stands before the time left, which
/// counts steps and tests apart.
std::string describe_progress(const ProgressState& state);

/// The same after a bar, in `columns` characters at most; the bar goes first where there is no room, then the end.
std::string progress_bar(const ProgressState& state, int columns);

/// A bar with rate and time left on a terminal, a plain line now and then otherwise, nothing if quiet. Writes to
/// stderr.
class Progress {
 public:
  explicit Progress(bool quiet, std::FILE* out = stderr);
  ~Progress();  ///< ends the bar's line
  Progress(const Progress&) = delete;

  /// The first call says where the run begins. Cheap enough for every step; draws a few times a second on a terminal,
  /// every few seconds otherwise, and at the end.
  void update(const RunPosition& position);
  /// Whether there is a bar.
  bool on_terminal() const { return terminal_; }
  /// A line of its own, such as an evaluation's result.
  void line(const std::string& text);

 private:
  void draw();
  void print(const std::string& text);  ///< a run goes on when nobody can read it

  using Clock = std::chrono::steady_clock;
  bool quiet_, terminal_;
  std::FILE* out_;
  ProgressState state_;
  Clock::time_point updated_, drawn_;
  bool begun_ = false;
  bool on_bar_ = false;
};

}  // namespace sparsepush
