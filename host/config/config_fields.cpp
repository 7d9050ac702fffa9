#include "host/config/config_fields.h"

#include <algorithm>

#include "host/config/section_fields.h"

namespace sparsepush {
namespace {

std::vector<Field> all_fields() {
  std::vector<Field> all;
  const auto add = [&](std::string_view section, std::vector<Field> fields) {
    for (Field& field : fields) {
      field.section = section;
      all.push_back(std::move(field));
    }
  };
  add("run", run_fields());
  add("data", data_fields());
  add("model", model_fields());
  add("topology", topology_fields());
  add("algorithm", algorithm_fields());
  add("optimizer", optimizer_fields());
  add("evaluate", evaluate_fields());
  return all;
}

}  // namespace

const std::vector<Field>& config_fields() {
  static const std::vector<Field> fields = all_fields();
  return fields;
}

std::vector<std::string_view> config_sections() {
  std::vector<std::string_view> sections;
  for (const Field& field : config_fields())
    if (sections.empty() || sections.back() != field.section) sections.push_back(field.section);
  return sections;
}

const Field* find_field(std::string_view section, std::string_view key) {
  const auto& fields = config_fields();
  const auto it = std::ranges::find_if(fields, [&](const Field& f) { return f.section == section && f.key == key; });
  return it == fields.end() ? nullptr : &*it;
}

const Field& decider_of(const OnlyFor& rule) {
  const std::size_t dot = rule.decider.find('.');
  return *find_field(rule.decider.substr(0, dot), rule.decider.substr(dot + 1));
}

std::string decider_value(const OnlyFor& rule, const Config& config) {
  Config copy = config;
  return *std::get<std::string*>(decider_of(rule).member(copy));
}

const OnlyFor* why_unused(const Field& field, const Config& config) {
  for (const OnlyFor& rule : field.only_for)
    if (std::ranges::find(rule.values, decider_value(rule, config)) == rule.values.end()) return &rule;
  return nullptr;
}

}  // namespace sparsepush
