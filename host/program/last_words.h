// What a process of a launcher says when it is ended.
#pragma once
#include <csignal>
#include <filesystem>
#include <string>

#include "host/ranks/ranks.h"

namespace sparsepush {

/// While it lives, SIGTERM and SIGINT end the process at once: a launcher sends them when another process has ended, or
/// the user presses Ctrl-C, and then kills what is left. One process of each machine prints a line: how to go on from
/// the last checkpoint, if there is one. At most one may live at a time.
class LastWords {
 public:
  /// `checkpoint` is the file to go on from, and `command` goes on from it. `within_line`: others may have begun a
  /// line.
  LastWords(Ranks& ranks, const std::filesystem::path& checkpoint, const std::string& command, bool within_line);
  ~LastWords();  ///< restores the handlers that were there before
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;

  /// Notes that the checkpoint has been written, on whichever machine.
  static void there_is_a_checkpoint();

 private:
  struct sigaction before_int_ {
  }, before_term_{};
};

}  // namespace sparsepush
