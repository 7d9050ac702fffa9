#include "host/config/config_toml.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <type_traits>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "host/config/config_document.h"
#include "host/config/config_fields.h"
#include "host/config/config_values.h"
#include "host/config/spelling.h"

namespace sparsepush {
namespace {

constexpr std::size_t kMostEntries = 1000;  // in a list: no network has as many layers, no schedule as many milestones

constexpr std::string_view kTableSections[] = {"sweep", "table", "claim"};

bool belongs_to_tables(std::string_view section) {
  return std::ranges::find(kTableSections, section) != std::end(kTableSections);
}

// A value on its way into one key.
struct Setting {
  const Field& field;
  const toml::node& value;
  std::string where;
  bool is_override = false;
};

[[noreturn]] void refuse_type(const Setting& setting, std::string_view expected) {
  throw InputError("{}: {}: expected {}, got {}", setting.where, setting.field.name(), expected,
                   describe(setting.value));
}

std::int64_t integer_in_range(const Setting& setting, const toml::node& value, std::string_view expected) {
  if (!value.is_integer()) refuse_type(setting, expected);
  const std::int64_t number = value.as_integer()->get();
  const auto& range = std::get<IntegerRange>(setting.field.constraint);
  if (number < range.min || number > range.max)
    throw InputError("{}: {}: expected {} <= {} <= {}, got {}", setting.where, setting.field.name(), range.min,
                     setting.field.key, range.max, number);
  return number;
}

void store(const Setting& setting, bool* member) {
  if (!setting.value.is_boolean()) refuse_type(setting, "true or false");
  *member = setting.value.as_boolean()->get();
}

template <class Integer>
void store(const Setting& setting, Integer* member) {
  *member = static_cast<Integer>(integer_in_range(setting, setting.value, "an integer"));
}

bool is_auto(const Setting& setting) {
  const auto* word = setting.value.as_string();
  return word && word->get() == "auto";
}

void store(const Setting& setting, std::optional<std::int64_t>* member) {
  member->reset();
  if (!is_auto(setting)) *member = integer_in_range(setting, setting.value, "an integer or \"auto\"");
}

double number_in_range(const Setting& setting, const toml::node& value, std::string_view expected) {
  if (!value.is_number()) refuse_type(setting, expected);
  const double number = *value.value<double>();
  const auto& range = std::get<NumberRange>(setting.field.constraint);
  const bool above = range.open_min ? number > range.min : number >= range.min;
  const bool below = range.open_max ? number < range.max : number <= range.max;
  if (!above || !below)  // NaN is neither
    throw InputError("{}: {}: expected {} {} {} {} {}, got {}", setting.where, setting.field.name(), range.min,
                     range.open_min ? "<" : "<=", setting.field.key, range.open_max ? "<" : "<=", range.max, number);
  return number;
}

void store(const Setting& setting, double* member) { *member = number_in_range(setting, setting.value, "a number"); }

void store(const Setting& setting, std::optional<double>* member) {
  member->reset();
  if (!is_auto(setting)) *member = number_in_range(setting, setting.value, "a number or \"auto\"");
}

void store(const Setting& setting, std::string* member) {
  if (!setting.value.is_string()) refuse_type(setting, "a string");
  const std::string& word = setting.value.as_string()->get();
  const auto* choices = std::get_if<Choices>(&setting.field.constraint);
  if (choices && std::ranges::find(*choices, word) == choices->end()) {
    const std::string_view nearest = nearest_word(word, *choices);
    const bool similar = spelling_distance(word, nearest) <= nearest.size() / 2;
    throw InputError("{}: {}: expected {}{}; got {}{}", setting.where, setting.field.name(),
                     choices->size() > 1 ? "one of " : "", fmt::join(*choices, ", "), in_quotes_short(word),
                     similar ? fmt::format("; did you mean {}?", in_quotes(nearest)) : "");
  }
  *member = word;
}

/// Stores a list; read(entry) returns the value of an entry.
template <class Number, class Read>
void store_list(const Setting& setting, std::vector<Number>* member, std::string_view expected, const Read& read) {
  const auto* list = setting.value.as_array();
  if (!list) refuse_type(setting, expected);
  if (list->size() > kMostEntries)
    throw InputError("{}: {}: expected at most {} entries, got {}", setting.where, setting.field.name(), kMostEntries,
                     list->size());
  member->clear();
  for (const toml::node& entry : *list) {
    if (!(std::is_integral_v<Number> ? entry.is_integer() : entry.is_number()))
      throw InputError("{}: {}: expected {}, got one with {}", setting.where, setting.field.name(), expected,
                       describe(entry));
    member->push_back(read(entry));
  }
}

void store(const Setting& setting, std::vector<std::int64_t>* member) {
  constexpr std::string_view kExpected = "a list of integers";
  store_list(setting, member, kExpected,
             [&](const toml::node& entry) { return integer_in_range(setting, entry, kExpected); });
}

void store(const Setting& setting, std::vector<double>* member) {
  constexpr std::string_view kExpected = "a list of numbers";
  store_list(setting, member, kExpected,
             [&](const toml::node& entry) { return number_in_range(setting, entry, kExpected); });
}

void apply(const Setting& setting, Config& config, Origins& origins) {
  std::visit([&](auto* member) { store(setting, member); }, setting.field.member(config));
  const auto* word = setting.value.as_string();
  if ((setting.field.is_file || setting.field.is_folder) && word && word->get().empty())
    origins.forget(setting.field.name());  // an empty path is none
  else
    origins.remember(setting.field.name(), {setting.where, setting.is_override});
}

bool is_called(const Field& field, std::string_view word) {
  return fmt::format(" {} ", field.also_called).find(fmt::format(" {} ", word)) != std::string::npos;
}

// Finds what an unknown key was probably meant to be: the nearest one, where a tie goes to its own section.
const Field& nearest_field(std::string_view section, std::string_view key) {
  const auto& fields = config_fields();
  return *std::ranges::min_element(fields, {}, [&](const Field& field) {
    const bool known_word = is_called(field, key) && (field.section == section || key.size() > 1);
    return std::pair(known_word ? 0 : spelling_distance(key, field.key), field.section != section);
  });
}

[[noreturn]] void refuse_key(std::string_view section, std::string_view key, const std::string& where) {
  const Field& nearest = nearest_field(section, key);
  throw InputError("{}: unknown key {}; did you mean \"{}\"{}?", where, in_quotes_short(key), nearest.key,
                   nearest.section == section ? "" : fmt::format(" of section [{}]", nearest.section));
}

bool is_section(std::string_view word) {
  const auto sections = config_sections();
  return std::ranges::find(sections, word) != sections.end();
}

[[noreturn]] void refuse_section(std::string_view section, const std::vector<std::string_view>& known,
                                 const std::string& where) {
  throw InputError("{}: unknown section {}; did you mean \"{}\"?", where, in_quotes_short(section),
                   nearest_word(section, known));
}

const Field& known_field(std::string_view section, std::string_view key, const std::string& where) {
  const Field* field = find_field(section, key);
  if (!field) refuse_key(section, key, where);
  return *field;
}

std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(
      line, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return line;
}

// Reads the value of an override: TOML, or else a bare word, which stands for a string.
toml::table parse_value(const std::string& text, const std::string& where) {
  const auto parse = [](const std::string& value) { return toml::parse("value = " + value + "\n"); };
  const bool one_value = text.find_first_of("\n\r") == std::string::npos;
  try {
    if (one_value) return parse(text);
  } catch (const toml::parse_error&) {  // then it is a word
  }
  const std::size_t first = text.find_first_not_of(" \t");
  if (!one_value || first == std::string::npos || std::string_view("\"'[{").find(text[first]) != std::string_view::npos)
    throw InputError("{}: expected a TOML value or a bare word after \"=\", got {}", where, in_quotes_short(text));
  try {
    return parse(in_quotes(text));
  } catch (const toml::parse_error& error) {
    throw InputError("{}: {}", where, one_line(error.description()));
  }
}

}  // namespace

std::string describe(const toml::node& value) {
  if (const auto* v = value.as_string()) return "string " + in_quotes_short(v->get());
  if (const auto* v = value.as_integer()) return fmt::format("integer {}", v->get());
  if (const auto* v = value.as_floating_point()) return fmt::format("number {}", number_text(v->get()));
  if (const auto* v = value.as_boolean()) return fmt::format("boolean {}", v->get());
  if (value.is_array()) return "a list";
  return value.is_table() ? "a section" : "a date or time";
}

std::string place_of(const Origins& origins, const toml::source_region& source) {
  return fmt::format("{}:{}", origins.path(), source.begin.line);
}

const Field& field_named(const std::string& name, const std::string& where) {
  const std::size_t dot = std::min(name.find('.'), name.size());
  if (dot == name.size())
    throw InputError("{}: unknown key {}; did you mean \"{}\"?", where, in_quotes_short(name),
                     nearest_field("", name).name());
  const std::string section = name.substr(0, dot), key = name.substr(dot + 1);
  if (!is_section(section)) refuse_section(section, config_sections(), where);
  return known_field(section, key, where);
}

void apply_value(const Field& field, const toml::node& value, const std::string& where, Config& config,
                 Origins& origins) {
  apply({field, value, where}, config, origins);
}

toml::table parse_document(const std::string& text, const Origins& origins) {
  try {
    return toml::parse(text, origins.path());
  } catch (const toml::parse_error& error) {
    throw InputError("{}: not TOML: {}", place_of(origins, error.source()), one_line(error.description()));
  }
}

void check_sections(const toml::table& document, const Origins& origins) {
  std::vector<std::string_view> known = config_sections();
  known.insert(known.end(), std::begin(kTableSections), std::end(kTableSections));
  for (const auto& [name, content] : document) {
    if (std::ranges::find(known, name.str()) != known.end()) continue;
    const std::string where = place_of(origins, name.source());
    if (!content.is_table() && !content.is_array_of_tables()) refuse_key("", name.str(), where);
    refuse_section(name.str(), known, where);
  }
}

void apply_document(const toml::table& document, Config& config, Origins& origins) {
  check_sections(document, origins);
  for (const auto& [section, content] : document) {
    const std::string where = place_of(origins, section.source());
    if (belongs_to_tables(section.str()))
      throw InputError("{}: [{}] makes a table of many runs of this file: sparsepush table {}", where, section.str(),
                       origins.path());
    if (!content.is_table())
      throw InputError("{}: {}: expected a section [{}], got {}", where, section.str(), section.str(),
                       describe(content));
    for (const auto& [key, value] : *content.as_table()) {
      const std::string at_key = place_of(origins, key.source());
      apply({known_field(section.str(), key.str(), at_key), value, at_key}, config, origins);
    }
  }
}

void apply_toml(const std::string& text, Config& config, Origins& origins) {
  apply_document(parse_document(text, origins), config, origins);
}

void apply_override(const std::string& assignment, Config& config, Origins& origins, bool must_count) {
  const std::string where = "--set " + one_line(assignment);
  const std::size_t equals = assignment.find('=');
  const std::string name = assignment.substr(0, equals);
  if (equals == std::string::npos || name.find('.') == std::string::npos)
    throw InputError("{}: expected section.key=value{}", where,
                     equals == std::string::npos ? "" : ", such as " + nearest_field("", name).name() + "=...");
  if (const std::string section = name.substr(0, name.find('.')); belongs_to_tables(section))
    throw InputError("{}: [{}] is only set in the file", where, section);
  const Field& field = field_named(name, where);
  const toml::table parsed = parse_value(assignment.substr(equals + 1), where);
  apply({field, *parsed.get("value"), where, must_count}, config, origins);
}

}  // namespace sparsepush
