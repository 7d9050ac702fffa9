// Keys that were set and do not count.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "host/config/config_toml.h"

namespace sparsepush {

/// Keys of a file that were left out, and why.
class UnusedKeys {
 public:
  /// Notes a key that was left out, and the reason, such as "algorithm.name is "sgp"".
  void add(const std::string& key, const std::string& reason);

  /// Lists the keys with their reasons, as one line for the user; no line if there are none.
  std::vector<std::string> warnings(const std::string& path) const;

 private:
  std::vector<std::pair<std::string, std::vector<std::string>>> by_reason_;
};

/// Resets keys that were set and do not count to their defaults, and forgets where they were set. Throws InputError for
/// one from the command line, and for one that must have its default.
UnusedKeys leave_out_unused(Config& config, Origins& origins);

}  // namespace sparsepush
