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
constexpr const char* kToLineStart = "\r\x1b[K";  // and erase the line

std::string format_duration(double seconds) {
  constexpr double kLongest = 1000 * 3600.0;  // beyond this nobody waits
  if (!(seconds < kLongest)) return "a long time";
  const auto whole = static_cast<std::int64_t>(std::ceil(seconds));
  const std::int64_t hours = whole / 3600, minutes = whole / 60 % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60)
                   : fmt::format("{}:{:02}", minutes, whole % 60);
}

double fraction_done(const ProgressState& state) {
  return state.last > 0 ? std::clamp(static_cast<double>(state.step) / static_cast<double>(state.last), 0.0, 1.0) : 1;
}

int terminal_columns(std::FILE* out) {
  winsize size{};
  return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kDefaultColumns;
}

}  // namespace

std::string describe_progress(const ProgressState& state) {
  // Rounded down: 100 % is said of a finished run only.
  std::string text =
      fmt::format("step {} of {} ({} %)", state.step, state.last, static_cast<int>(100 * fraction_done(state)));
  const auto done = static_cast<double>(state.step - state.first);
  if (done <= 0 || state.seconds <= 0) return text;
  const double rate = done / state.seconds;
  text += rate < 100 ? fmt::format(", {:.3g} steps/s", rate) : fmt::format(", {:.0f} steps/s", rate);
  if (state.step < state.last) {
    text += fmt::format(", {} left", format_duration(static_cast<double>(state.last - state.step) / rate));
  }
  return text;
}

std::string progress_bar(const ProgressState& state, int columns) {
  const std::string text = describe_progress(state);
  const int room = columns - static_cast<int>(text.size()) - 3;  // brackets and a blank
  if (room < kShortestBar) return text.substr(0, std::max(columns, 0));
  const int length = std::min(room, kLongestBar);
  const auto full = static_cast<int>(length * fraction_done(state));
  return fmt::format("[{:=<{}}{:{}}] {}", "", full, "", length - full, text);
}

Progress::Progress(bool quiet, std::FILE* out)
    : quiet_(quiet), terminal_(isatty(fileno(out)) == 1), out_(out), start_(Clock::now()), drawn_(start_) {}

Progress::~Progress() {
  if (!on_bar_) return;
  std::fputc('\n', out_);
  std::fflush(out_);
}

void Progress::update(std::int64_t step, std::int64_t last_step) {
  if (quiet_) return;
  const auto now = Clock::now();
  if (!first_) {
    first_ = step;
    start_ = now;
  }
  if (step < last_step && now - drawn_ < (terminal_ ? Clock::duration(kBarInterval) : Clock::duration(kLineInterval)))
    return;
  drawn_ = now;
  const std::chrono::duration<double> elapsed = now - start_;
  draw({.first = *first_, .step = step, .last = last_step, .seconds = elapsed.count()});
}

void Progress::print(const std::string& text) {
  std::fputs(text.c_str(), out_);
  std::fflush(out_);
}

void Progress::draw(const ProgressState& state) {
  if (terminal_) {
    // One column stays free: a character in the last one makes some terminals begin a new line.
    print(kToLineStart + progress_bar(state, terminal_columns(out_) - 1));
    on_bar_ = true;
  } else {
    print(describe_progress(state) + '\n');
  }
}

void Progress::line(const std::string& text) {
  if (quiet_) return;
  print((on_bar_ ? kToLineStart : "") + text + '\n');
  on_bar_ = false;
  if (terminal_) drawn_ = Clock::time_point();  // the next update redraws the bar
}

}  // namespace sparsepush
