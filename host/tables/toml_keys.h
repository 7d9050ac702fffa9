// Reading a table of TOML key by key, with nothing left over.
#pragma once
#include <toml++/toml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/config_toml.h"

namespace sparsepush {

/// The keys of one table. All throw InputError with file, line and key.
class TomlKeys {
 public:
  /// Refuses keys that are none of `known`. `name` is how messages call the table, such as "claim".
  TomlKeys(const toml::table& table, const Origins& origins, std::string name,
           const std::vector<std::string_view>& known);

  /// Returns the string of a key; none if the key is not there.
  std::optional<std::string> text(const char* key) const;
  /// Returns the finite number of a key; none if the key is not there.
  std::optional<double> number(const char* key) const;
  /// Returns the whole number of a key, at least `least`; none if the key is not there.
  std::optional<std::int64_t> integer(const char* key, std::int64_t least) const;
  /// Returns true or false of a key; none if the key is not there.
  std::optional<bool> boolean(const char* key) const;
  /// Returns the string of a key, which must be one of `words`; none if the key is not there.
  std::optional<std::string> word(const char* key, const std::vector<std::string_view>& words) const;
  /// Returns any value of a key; null if the key is not there.
  const toml::node* node(const char* key) const;

  const std::string& where() const { return where_; }
  /// Returns file and line of a key; those of the table if the key is not there.
  std::string place(const char* key) const;
  /// Throws InputError about a key: where it is, what was expected and what came.
  [[noreturn]] void refuse(const char* key, const std::string& expected) const;

 private:
  const toml::table& table_;
  const Origins& origins_;
  std::string name_, where_;
};

}  // namespace sparsepush
