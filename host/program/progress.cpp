#include "host/program/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace sparsepush {
namespace {
using namespace std::chrono_literals;

constexpr auto kBarInterval = 200ms;  // smooth to the eye
constexpr auto kLineInterval = 10s;   // a log of a night's run stays readable
constexpr int kLongestBar = 40, kShortestBar = 10;
constexpr int kDefaultColumns = 80;
constexpr const char* kToLineStart = "\r\x1b[K";  // goes there and erases the line

std::string format_duration(double seconds) {
  constexpr double kLongest = 1000 * 3600.0;  // beyond this nobody waits
  if (!(seconds < kLongest)) return "a long time";
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  const std::int64_t hours = whole / 3600, minutes = whole / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60)
                   : fmt::format("{}:{:02}", minutes, whole % 60);
}

double fraction_done(const RunPosition& at) {
  return at.last > 0 ? std::clamp(static_cast<double>(at.step) / static_cast<double>(at.last), 0.0, 1.0) : 1;
}

/// Estimates the seconds that are left: not before a step is done; tests count as soon as one is under way.
std::optional<double> seconds_left(const ProgressState& state) {
  const RunPosition& at = state.at;
  if (at.seconds_left) return at.seconds_left;
  const auto done = static_cast<double>(at.step - state.first), left = static_cast<double>(at.last - at.step);
  if (left > 0 && (done <= 0 || state.step_seconds <= 0)) return std::nullopt;
  const double in_steps = left > 0 ? left * state.step_seconds / done : 0;
  return in_steps + (at.tested > 0 ? at.left_to_test * state.test_seconds / at.tested : 0);
}

int terminal_columns(std::FILE* out) {
  winsize size{};
  return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kDefaultColumns;
}

}  // namespace

std::string describe_progress(const ProgressState& state) {
  // Rounded down: 100 % is said of a finished run only.
  const RunPosition& at = state.at;
  std::string text = fmt::format("{}{}step {} of {} ({} %)", at.among, at.among.empty() ? "" : ", ", at.step, at.last,
                                 static_cast<int>(100 * fraction_done(at)));
  const auto done = static_cast<double>(at.step - state.first);
  if (done > 0 && state.step_seconds > 0) {
    const double rate = done / state.step_seconds;
    text += rate < 100 ? fmt::format(", {:.3g} steps/s", rate) : fmt::format(", {:.0f} steps/s", rate);
  }
  if (at.testing) text += fmt::format(", testing {} %", static_cast<int>(100 * *at.testing));
  const auto left = seconds_left(state);
  if (left && (at.testing || at.step < at.last)) text += fmt::format(", {} left", format_duration(*left));
  return text;
}

std::string progress_bar(const ProgressState& state, int columns) {
  const std::string text = describe_progress(state);
  const int room = columns - static_cast<int>(text.size()) - 3;  // brackets and a blank
  if (room < kShortestBar) return text.substr(0, std::max(columns, 0));
  const int length = std::min(room, kLongestBar);
  const auto full = static_cast<int>(length * fraction_done(state.at));
  return fmt::format("[{:=<{}}{:{}}] {}", "", full, "", length - full, text);
}

Progress::Progress(bool quiet, std::FILE* out)
    : quiet_(quiet), terminal_(isatty(fileno(out)) == 1), out_(out), updated_(Clock::now()), drawn_(updated_) {}

Progress::~Progress() {
  if (!on_bar_) return;
  std::fputc('\n', out_);
  std::fflush(out_);
}

void Progress::update(const RunPosition& position) {
  if (quiet_) return;
  const auto now = Clock::now();
  if (begun_) {
    const double passed = std::chrono::duration<double>(now - updated_).count();
    (state_.at.testing ? state_.test_seconds : state_.step_seconds) += passed;
  } else {
    state_.first = position.step;
  }
  begun_ = true;
  updated_ = now;
  state_.at = position;
  const bool at_end = position.step >= position.last && !position.testing;
  if (!at_end && now - drawn_ < (terminal_ ? Clock::duration(kBarInterval) : Clock::duration(kLineInterval))) return;
  drawn_ = now;
  draw();
}

void Progress::print(const std::string& text) {
  std::fputs(text.c_str(), out_);
  std::fflush(out_);
}

void Progress::draw() {
  if (terminal_) {
    // One column stays free: a character in the last one makes some terminals begin a new line.
    print(kToLineStart + progress_bar(state_, terminal_columns(out_) - 1));
    on_bar_ = true;
  } else {
    print(describe_progress(state_) + '\n');
  }
}

void Progress::line(const std::string& text) {
  if (quiet_) return;
  print((on_bar_ ? kToLineStart : "") + text + '\n');
  on_bar_ = false;
  if (terminal_) drawn_ = Clock::time_point();  // the next update redraws the bar
}

}  // namespace sparsepush
