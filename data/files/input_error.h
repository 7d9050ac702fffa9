// Errors of what comes from outside: command line, configuration and files.
#pragma once
#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace sparsepush {

/// Bad input. `what()` is one complete line for the user: which file, line or key, what was expected and what came.
/// The program prints it and exits with 2.
class InputError : public std::runtime_error {
 public:
  explicit InputError(const std::string& line) : std::runtime_error(line) {}
  template <class... Args>
  requires(sizeof...(Args) > 0) explicit InputError(fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, std::forward<Args>(args)...)) {}
};

}  // namespace sparsepush
