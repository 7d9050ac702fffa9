// Reads TOML into a Config, key by key, and remembers where each key was set.
#pragma once
#include <map>
#include <string>

#include "host/config/config.h"

namespace sparsepush {

/// Where the keys that were set come from.
struct Origins {
  std::string path;                           ///< of the configuration file
  std::map<std::string, std::string> of_key;  ///< "run.nodes" -> "iid.toml:3" or "--set run.nodes=4"

  bool is_set(const std::string& key) const { return of_key.contains(key); }
  /// The file alone if the key was not set.
  std::string of(const std::string& key) const { return is_set(key) ? of_key.at(key) : path; }
};

/// Sets every key of the TOML document `text`, which is what origins.path contains. Throws InputError.
void apply_toml(const std::string& text, Config& config, Origins& origins);

/// Sets one key from "section.key=value". Throws InputError.
void apply_override(const std::string& assignment, Config& config, Origins& origins);

}  // namespace sparsepush
