// Reads TOML into a Config, key by key, and remembers where each key was set.
#pragma once
#include <map>
#include <string>
#include <utility>

#include "host/config/config.h"

namespace sparsepush {

/// Where a key was set.
struct Origin {
  std::string where;  ///< "iid.toml:3" or "--set run.nodes=4"
  bool is_override = false;
};

/// Where the keys that were set come from.
class Origins {
 public:
  explicit Origins(std::string path) : path_(std::move(path)) {}

  /// Returns the path of the configuration file.
  const std::string& path() const { return path_; }
  bool is_set(const std::string& key) const { return of_key_.contains(key); }
  bool is_override(const std::string& key) const { return is_set(key) && of_key_.at(key).is_override; }
  /// Says where `key` was set; names the file alone if it was not set.
  std::string of(const std::string& key) const { return is_set(key) ? of_key_.at(key).where : path_; }

  void remember(const std::string& key, const Origin& origin) { of_key_[key] = origin; }
  void forget(const std::string& key) { of_key_.erase(key); }

 private:
  std::string path_;
  std::map<std::string, Origin> of_key_;
};

/// Sets every key of the TOML document `text`, the content of the file origins.path(). Throws InputError.
void apply_toml(const std::string& text, Config& config, Origins& origins);

/// Sets one key from "section.key=value". A key that does not count will be refused where it `must_count`, and
/// otherwise be left out, as keys of a file are. Throws InputError.
void apply_override(const std::string& assignment, Config& config, Origins& origins, bool must_count = true);

}  // namespace sparsepush
