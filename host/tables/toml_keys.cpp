#include "host/tables/toml_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "host/config/config_document.h"
#include "host/config/spelling.h"

namespace sparsepush {

TomlKeys::TomlKeys(const toml::table& table, const Origins& origins, std::string name,
                   const std::vector<std::string_view>& known)
    : table_(table), origins_(origins), name_(std::move(name)), where_(place_of(origins, table.source())) {
  for (const auto& [key, value] : table_)
    if (std::ranges::find(known, key.str()) == known.end())
      throw InputError("{}: unknown key {} of {}; did you mean \"{}\"?", place_of(origins_, key.source()),
                       in_quotes_short(key.str()), name_, nearest_word(key.str(), known));
}

const toml::node* TomlKeys::node(const char* key) const { return table_.get(key); }

std::string TomlKeys::place(const char* key) const {
  const auto entry = table_.find(key);
  return entry == table_.end() ? where_ : place_of(origins_, entry->first.source());
}

void TomlKeys::refuse(const char* key, const std::string& expected) const {
  const toml::node* value = table_.get(key);
  throw InputError("{}: {}.{}: expected {}{}", place(key), name_, key, expected,
                   value ? ", got " + describe(*value) : "");
}

std::optional<std::string> TomlKeys::text(const char* key) const {
  const toml::node* value = node(key);
  if (!value) return std::nullopt;
  if (!value->is_string()) refuse(key, "a string");
  return value->as_string()->get();
}

std::optional<double> TomlKeys::number(const char* key) const {
  const toml::node* value = node(key);
  if (!value) return std::nullopt;
  const auto number = value->is_number() ? value->value<double>() : std::nullopt;
  if (!number || !std::isfinite(*number)) refuse(key, "a number");
  return number;
}

std::optional<std::int64_t> TomlKeys::integer(const char* key, std::int64_t least) const {
  const toml::node* value = node(key);
  if (!value) return std::nullopt;
  if (!value->is_integer() || value->as_integer()->get() < least)
    refuse(key, fmt::format("an integer of at least {}", least));
  return value->as_integer()->get();
}

std::optional<bool> TomlKeys::boolean(const char* key) const {
  const toml::node* value = node(key);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) refuse(key, "true or false");
  return value->as_boolean()->get();
}

std::optional<std::string> TomlKeys::word(const char* key, const std::vector<std::string_view>& words) const {
  const auto value = text(key);
  if (value && std::ranges::find(words, *value) == words.end())
    refuse(key, fmt::format("one of {}", fmt::join(words, ", ")));
  return value;
}

}  // namespace sparsepush
