// The message that bad input ends with.
#pragma once
#include <cstddef>
#include <string>

#include "data/files/input_error.h"

namespace sparsepush {

/// What the InputError says that `action` throws, "" if it throws none; F stands for the folder `folder`.
template <class Action>
std::string error_of(const Action& action, const std::string& folder = "") {
  try {
    action();
    return "";
  } catch (const InputError& error) {
    std::string line, rest = error.what();
    for (std::size_t at = 0; !folder.empty() && (at = rest.find(folder)) != std::string::npos;) {
      line.append(rest, 0, at).append("F");
      rest.erase(0, at + folder.size());
    }
    return line + rest;
  }
}

}  // namespace sparsepush
