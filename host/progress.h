// What the user sees of a run while it goes on.
#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace sparsepush {

/// A bar with rate and time left on a terminal, a plain line now and then otherwise, nothing if quiet. Writes to stderr.
class Progress {
 public:
  Progress(std::int64_t first_step, std::int64_t last_step, bool quiet, std::FILE* out = stderr);
  ~Progress();  ///< ends the bar's line

  /// Cheap enough for every step; draws a few times a second on a terminal, every few seconds otherwise.
  void update(std::int64_t step);
  /// A line of its own, such as an evaluation's result.
  void line(const std::string& text);

 private:
  void draw(std::int64_t step);

  using Clock = std::chrono::steady_clock;
  std::int64_t first_, last_;
  bool quiet_, terminal_;
  std::FILE* out_;
  Clock::time_point start_, drawn_;
  bool on_bar_ = false;
};

}  // namespace sparsepush
