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
  double step_seconds = 0, test_seconds = 0;  ///< taken by steps and tests since it began
};

/// Describes progress as "step 450 of 1000 (45 %), 123 steps/s, 0:04 left"; during a test "testing 37 %" stands before
/// the time left, which counts steps and tests apart.
std::string describe_progress(const ProgressState& state);

/// Draws a bar before what describe_progress writes, in `columns` characters at most; where there is no room the bar is
/// left out, then the end of the text.
std::string progress_bar(const ProgressState& state, int columns);

/// Shows on `out` how far a run is: by a bar with rate and time left on a terminal, by a plain line now and then
/// otherwise, not at all if quiet.
class Progress {
 public:
  explicit Progress(bool quiet, std::FILE* out = stderr);
  ~Progress();  ///< ends the bar's line
  Progress(const Progress&) = delete;

  /// Takes the new position; the first call says where the run begins. Cheap enough for every step: draws a few times a
  /// second on a terminal, every few seconds otherwise, and at the end.
  void update(const RunPosition& position);
  /// Returns whether `out` is a terminal, which gets a bar.
  bool on_terminal() const { return terminal_; }
  /// Prints a line of its own, such as an evaluation's result; nothing if quiet.
  void line(const std::string& text);

 private:
  void draw();
  void print(const std::string& text);  ///< ignores errors: a run goes on when nobody can read it

  using Clock = std::chrono::steady_clock;
  bool quiet_, terminal_;
  std::FILE* out_;
  ProgressState state_;
  Clock::time_point updated_, drawn_;
  bool begun_ = false;
  bool on_bar_ = false;
};

}  // namespace sparsepush
