#include "host/program/last_words.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string_view>

namespace sparsepush {
namespace {

// A signal handler reaches nothing but static memory, and may call little: write and _exit.
using Line = std::array<char, 16384>;  // a path twice, and words
constinit Line with_checkpoint{}, without_checkpoint{};
constinit std::atomic<bool> is_there = false;
constinit std::atomic<std::atomic<int>*> said_here = nullptr;
static_assert(std::atomic<int>::is_always_lock_free, "signal handlers must not lock");

/// Cuts what does not fit.
void keep(Line& line, std::string_view text) {
  line.fill('\0');
  std::copy_n(text.begin(), std::min(text.size(), line.size() - 1), line.begin());
}

void print(const Line& line) {
  const std::string_view text(line.data());
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

void say_and_end(int) {
  std::atomic<int>* said = said_here;
  if (said != nullptr && said->exchange(1) == 0) print(is_there ? with_checkpoint : without_checkpoint);
  ::_exit(1);
}

}  // namespace

LastWords::LastWords(Ranks& ranks, const std::filesystem::path& checkpoint, const std::string& command,
                     bool within_line) {
  const char* feed = within_line ? "\n" : "";
  is_there = false;
  keep(with_checkpoint, fmt::format("{}sparsepush: the run was ended; its last checkpoint is {}; go on with: {}\n",
                                    feed, checkpoint.string(), command));
  keep(without_checkpoint,
       fmt::format("{}sparsepush: the run was ended before its first checkpoint; start it again\n", feed));
  said_here = &ranks.flag_here();
  struct sigaction action {};
  action.sa_handler = say_and_end;
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGINT);
  sigaddset(&action.sa_mask, SIGTERM);
  sigaction(SIGINT, &action, &before_int_);
  sigaction(SIGTERM, &action, &before_term_);
}

LastWords::~LastWords() {
  sigaction(SIGINT, &before_int_, nullptr);
  sigaction(SIGTERM, &before_term_, nullptr);
  said_here = nullptr;
}

void LastWords::there_is_a_checkpoint() { is_there = true; }

}  // namespace sparsepush
