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
  void add(const std::string& key, const std::string& reason);

  /// A line for the user, if there are any.
  std::vector<std::string> warnings(const std::string& path) const;

 private:
  std::vector<std::pair<std::string, std::vector<std::string>>> by_reason_;
};

/// Gives the keys that were set and do not count their defaults, and forgets where they were set. Throws InputError for
/// one from the command line, and for one that must have its default.
UnusedKeys leave_out_unused(Config& config, Origins& origins);

}  // namespace sparsepush
