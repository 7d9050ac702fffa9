#include "host/program/progress.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace sparsepush {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

std::string text_of(std::FILE* file) {
  std::rewind(file);
  std::string text;
  for (int c; (c = std::fgetc(file)) != EOF;) text += static_cast<char>(c);
  return text;
}

/// A terminal of `columns` columns whose output the test reads.
class Terminal {
 public:
  explicit Terminal(int columns) {
    int program = -1;
    winsize size{};
    size.ws_col = static_cast<unsigned short>(columns);
    EXPECT_EQ(openpty(&screen_, &program, nullptr, nullptr, &size), 0);
    EXPECT_EQ(fcntl(screen_, F_SETFL, O_NONBLOCK), 0);
    program_.reset(fdopen(program, "w"));
  }
  ~Terminal() { close(screen_); }
  Terminal(const Terminal&) = delete;

  std::FILE* program() const { return program_.get(); }
  /// What came on the screen since the last call.
  std::string text() const {
    std::fflush(program_.get());
    char buffer[4096];
    const ssize_t size = read(screen_, buffer, sizeof buffer);
    return {buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  }

 private:
  int screen_ = -1;
  File program_;
};

TEST(Progress, SaysRateAndTimeLeft) {
  EXPECT_EQ(describe_progress({.at = {.step = 450, .last = 1000}, .step_seconds = 4.5}),
            "step 450 of 1000 (45 %), 100 steps/s, 0:06 left");
  EXPECT_EQ(describe_progress({.at = {.step = 10, .last = 1000}, .step_seconds = 30}),
            "step 10 of 1000 (1 %), 0.333 steps/s, 49:30 left");
  EXPECT_EQ(describe_progress({.at = {.step = 1, .last = 7201}, .step_seconds = 1}),
            "step 1 of 7201 (0 %), 1 steps/s, 2:00:00 left");
  EXPECT_EQ(describe_progress({.at = {.step = 5000, .last = 10'000}, .step_seconds = 0.4}),
            "step 5000 of 10000 (50 %), 12500 steps/s, 0:01 left");
}

TEST(Progress, TimeLeftCountsStepsAndTestsApart) {
  // 10 s a step and model: 100 steps and 20 models are to come.
  EXPECT_EQ(describe_progress({.at = {.step = 100, .last = 200, .tested = 5, .left_to_test = 20},
                               .step_seconds = 1000,
                               .test_seconds = 50}),
            "step 100 of 200 (50 %), 0.1 steps/s, 20:00 left");
  EXPECT_EQ(describe_progress({.at = {.step = 200, .last = 200, .tested = 5, .left_to_test = 2, .testing = 0.375},
                               .step_seconds = 2000,
                               .test_seconds = 50}),
            "step 200 of 200 (100 %), 0.1 steps/s, testing 37 %, 0:20 left");
  EXPECT_EQ(describe_progress(
                {.at = {.step = 0, .last = 200, .tested = 5, .left_to_test = 2, .testing = 0.5}, .test_seconds = 50}),
            "step 0 of 200 (0 %), testing 50 %");
}

TEST(Progress, AResumedRunsRateCountsItsOwnSteps) {
  EXPECT_EQ(describe_progress({.at = {.step = 450, .last = 1000, .among = "1 of 2 points done", .seconds_left = 61},
                               .step_seconds = 4.5}),
            "1 of 2 points done, step 450 of 1000 (45 %), 100 steps/s, 1:01 left");
  EXPECT_EQ(describe_progress({.first = 900, .at = {.step = 950, .last = 1000}, .step_seconds = 50}),
            "step 950 of 1000 (95 %), 1 steps/s, 0:50 left");
}

TEST(Progress, BeginsWithoutRateAndEndsWithoutTimeLeft) {
  EXPECT_EQ(describe_progress({.first = 10, .at = {.step = 10, .last = 1000}, .step_seconds = 3}),
            "step 10 of 1000 (1 %)");
  EXPECT_EQ(describe_progress({.at = {.step = 1000, .last = 1000}, .step_seconds = 10}),
            "step 1000 of 1000 (100 %), 100 steps/s");
  EXPECT_EQ(describe_progress({}), "step 0 of 0 (100 %)");
  EXPECT_EQ(describe_progress({.at = {.step = 999, .last = 1000}}), "step 999 of 1000 (99 %)");
}

TEST(Progress, HopelessTimesAreNotCounted) {
  EXPECT_EQ(describe_progress({.at = {.step = 1, .last = INT64_MAX}, .step_seconds = 1e9}),
            "step 1 of 9223372036854775807 (0 %), 1e-09 steps/s, a long time left");
}

TEST(Progress, TheBarFillsFromTheLeft) {
  const std::string ten = "==========", blank = "          ";
  EXPECT_EQ(progress_bar({.at = {.step = 0, .last = 4}}, 80), fmt::format("[{0}{0}{0}{0}] step 0 of 4 (0 %)", blank));
  EXPECT_EQ(progress_bar({.at = {.step = 1, .last = 4}}, 80),
            fmt::format("[{1}{0}{0}{0}] step 1 of 4 (25 %)", blank, ten));
  EXPECT_EQ(progress_bar({.at = {.step = 4, .last = 4}}, 80), fmt::format("[{0}{0}{0}{0}] step 4 of 4 (100 %)", ten));
}

TEST(Progress, TheBarGivesWayToTheText) {
  const ProgressState state = {.at = {.step = 1, .last = 4}};
  const std::string text = "step 1 of 4 (25 %)";
  for (int columns = 0; columns < 100; ++columns) {
    const std::string bar = progress_bar(state, columns);
    EXPECT_LE(bar.size(), static_cast<std::size_t>(columns));
    if (columns < 31) {
      EXPECT_EQ(bar, text.substr(0, columns));
    } else {
      EXPECT_TRUE(bar.starts_with('[') && bar.ends_with("] " + text)) << bar;
    }
  }
  EXPECT_EQ(progress_bar(state, -1), "");
}

TEST(Progress, FilesGetPlainLines) {
  const File out(std::tmpfile());
  {
    Progress progress(false, out.get());
    for (std::int64_t step = 0; step < 1000; ++step) progress.update({.step = step, .last = 1000});
    progress.line("test_loss 0.5");
    progress.update({.step = 1000, .last = 1000});
  }
  const std::string text = text_of(out.get());
  EXPECT_TRUE(text.starts_with("test_loss 0.5\nstep 1000 of 1000 (100 %), ")) << text;
  EXPECT_TRUE(text.ends_with(" steps/s\n")) << text;
}

TEST(Progress, QuietWritesNothing) {
  const File out(std::tmpfile());
  const Terminal terminal(80);
  for (std::FILE* file : {out.get(), terminal.program()}) {
    Progress progress(true, file);
    progress.update({.step = 5, .last = 10});
    progress.line("text");
    progress.update({.step = 10, .last = 10});
  }
  EXPECT_EQ(text_of(out.get()), "");
  EXPECT_EQ(terminal.text(), "");
}

TEST(Progress, TerminalsGetABarThatIsRedrawn) {
  const Terminal terminal(60);
  const std::string erase = "\r\x1b[K";
  {
    Progress progress(false, terminal.program());
    progress.line("first");
    EXPECT_EQ(terminal.text(), "first\r\n");
    progress.update({.step = 2, .last = 10});
    const std::string bar = terminal.text();
    EXPECT_TRUE(bar.starts_with(erase)) << bar;
    EXPECT_NE(bar.find("step 2 of 10 (20 %)"), std::string::npos) << bar;
    EXPECT_EQ(bar.find('\n'), std::string::npos) << bar;
    EXPECT_LT(bar.size() - erase.size(), 60u);
    progress.line("second");
    EXPECT_EQ(terminal.text(), erase + "second\r\n");
    progress.update({.step = 10, .last = 10});
    EXPECT_NE(terminal.text().find("(100 %)"), std::string::npos);
  }
  EXPECT_EQ(terminal.text(), "\r\n");
}

TEST(Progress, NarrowAndUnknownTerminalsAreRespected) {
  for (const auto& [columns, most] : std::vector<std::pair<int, std::size_t>>{{20, 19}, {0, 79}}) {
    const Terminal terminal(columns);
    Progress progress(false, terminal.program());
    progress.update({.step = 1, .last = 1});
    const std::string bar = terminal.text();
    EXPECT_GT(bar.size(), 4u);
    EXPECT_LE(bar.size() - 4, most) << bar;
  }
}

}  // namespace
}  // namespace sparsepush
