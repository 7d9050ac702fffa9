#include "host/config/unused_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "host/config/config_fields.h"
#include "host/config/config_values.h"

namespace sparsepush {
namespace {

[[noreturn]] void refuse(const Field& field, const OnlyFor& rule, const std::string& value, const Origins& origins) {
  std::vector<std::string> values;
  for (const std::string_view other : rule.values) values.push_back(in_quotes(other));
  throw InputError("{}: {}: only used with {} = {}, which is {} here", origins.of(field.name()), field.name(),
                   rule.decider, fmt::join(values, " or "), in_quotes(value));
}

void copy_value(const Field& field, Config& to, Config& from) {
  std::visit([&](auto* member) { *member = *std::get<decltype(member)>(field.member(from)); }, field.member(to));
}

}  // namespace

void UnusedKeys::add(const std::string& key, const std::string& reason) {
  const auto same = std::ranges::find_if(by_reason_, [&](const auto& entry) { return entry.first == reason; });
  if (same == by_reason_.end())
    by_reason_.push_back({reason, {key}});
  else
    same->second.push_back(key);
}

std::vector<std::string> UnusedKeys::warnings(const std::string& path) const {
  if (by_reason_.empty()) return {};
  std::vector<std::string> groups;
  for (const auto& [reason, keys] : by_reason_) groups.push_back(fmt::format("{} ({})", fmt::join(keys, ", "), reason));
  return {fmt::format("{}: keys that do not count here: {}", path, fmt::join(groups, "; "))};
}

UnusedKeys leave_out_unused(Config& config, Origins& origins) {
  Config as_set = config, defaults;  // a key that is left out decides about others by what was set
  UnusedKeys unused;
  for (const Field& field : config_fields()) {
    const std::string key = field.name();
    const OnlyFor* rule = origins.is_set(key) ? why_unused(field, as_set) : nullptr;
    if (!rule) continue;
    const std::string value = decider_value(*rule, as_set);
    const bool has_default = value_text(field.member(as_set)) == value_text(field.member(defaults));
    if (origins.is_override(key) || (rule->must_be_default && !has_default)) refuse(field, *rule, value, origins);
    unused.add(key, fmt::format("{} is {}", rule->decider, in_quotes(value)));
    copy_value(field, config, defaults);
    origins.forget(key);
  }
  return unused;
}

}  // namespace sparsepush
