#include "host/program/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <system_error>

namespace sparsepush {

void prepare_standard_streams() {
  int descriptor = -1;
  do descriptor = open("/dev/null", O_RDWR);
  while (descriptor >= 0 && descriptor <= STDERR_FILENO);
  if (descriptor >= 0) close(descriptor);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void flush_standard_output() {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  const std::string why = errno != 0 ? ": " + std::generic_category().message(errno) : "";
  throw std::runtime_error("cannot write to the standard output" + why);
}

std::string shell_word(const std::string& text) {
  const std::string path = text.starts_with('-') ? "./" + text : text;
  const auto is_plain = [](unsigned char c) {
    return std::isalnum(c) || std::string_view("_-./+:,=@%").find(c) != std::string_view::npos;
  };
  if (!path.empty() && std::ranges::all_of(path, is_plain)) return path;
  std::string word = "'";
  for (const char c : path) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

void print_error(std::string_view line) {
  std::string text(line);
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  std::fputs((text + '\n').c_str(), stderr);
}

}  // namespace sparsepush
