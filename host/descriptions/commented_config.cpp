#include "host/descriptions/commented_config.h"

#include <fmt/format.h>

#include "host/config/config_fields.h"
#include "host/config/config_values.h"
#include "host/descriptions/describe_keys.h"

namespace sparsepush {
namespace {

/// Returns a text of Markdown without its backticks.
std::string without_marks(std::string text) {
  std::erase(text, '`');
  return text;
}

std::string explanation(const Field& field) {
  std::string text = fmt::format("{}: {}", field.meaning, values_text(field));
  if (const std::string rules = rules_text(field); !rules.empty()) text += "; " + rules;
  return without_marks(text);
}

std::string assignment(const Field& field, Config& config) {
  if (!field.default_in_words.empty())
    return fmt::format("# {} =   # by default {}", field.key, without_marks(std::string(field.default_in_words)));
  const std::string value = value_text(field.member(config));
  const bool counts = why_unused(field, config) == nullptr && value != "\"\"";
  return fmt::format("{}{} = {}", counts ? "" : "# ", field.key, value);
}

}  // namespace

std::string commented_config() {
  std::string text =
      "# An experiment: start it by `sparsepush run FILE`. All keys have their defaults here; those that do not count\n"
      "# with the others' values are comments. `sparsepush methods` says what runs together.\n";
  Config config;
  std::string_view section;
  for (const Field& field : config_fields()) {
    if (field.section != section) text += fmt::format("\n[{}]\n", field.section);
    section = field.section;
    text += fmt::format("# {}\n{}\n", explanation(field), assignment(field, config));
  }
  return text;
}

}  // namespace sparsepush
