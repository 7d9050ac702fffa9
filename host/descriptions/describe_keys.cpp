#include "host/descriptions/describe_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "host/config/config_values.h"

namespace sparsepush {
namespace {

// Returns a limit, with an exponent where that is shorter: 1e6.
std::string limit_text(std::int64_t limit) {
  std::int64_t digits = limit;
  int zeros = 0;
  for (; digits != 0 && digits % 10 == 0; digits /= 10) ++zeros;
  return zeros < 6 ? fmt::format("{}", limit) : fmt::format("{}e{}", digits, zeros);
}

std::string limit_text(double limit) {
  return limit == std::floor(limit) ? limit_text(static_cast<std::int64_t>(limit)) : fmt::format("{}", limit);
}

std::string range_text(const IntegerRange& range) {
  if (range.max == std::numeric_limits<std::int64_t>::max()) return fmt::format("{} or more", range.min);
  return fmt::format("{} to {}", limit_text(range.min), limit_text(range.max));
}

std::string range_text(const NumberRange& range) {
  return fmt::format("{} to {}{}{}", limit_text(range.min), limit_text(range.max),
                     range.open_min ? ", not " + limit_text(range.min) : "",
                     range.open_max ? ", not " + limit_text(range.max) : "");
}

/// What the key can be, by the type of its member.
struct Values {
  const Field& field;

  std::string operator()(const bool*) const { return "`true` or `false`"; }
  std::string operator()(const int*) const { return "integer, " + range<IntegerRange>(); }
  std::string operator()(const std::int64_t*) const { return "integer, " + range<IntegerRange>(); }
  std::string operator()(const std::uint64_t*) const { return "integer, " + range<IntegerRange>(); }
  std::string operator()(const double*) const { return "number, " + range<NumberRange>(); }
  std::string operator()(const std::vector<std::int64_t>*) const {
    return "list of integers, " + range<IntegerRange>();
  }
  std::string operator()(const std::vector<double>*) const { return "list of numbers, " + range<NumberRange>(); }
  std::string operator()(const std::optional<std::int64_t>*) const {
    return "integer, " + range<IntegerRange>() + "; or `auto`";
  }
  std::string operator()(const std::optional<double>*) const {
    return "number, " + range<NumberRange>() + "; or `auto`";
  }
  std::string operator()(const std::string*) const {
    if (field.is_file || field.is_folder) return field.is_file ? "path of a file" : "path of a folder";
    return listed(std::get<Choices>(field.constraint), " or ");
  }

  template <class Range>
  std::string range() const {
    return range_text(std::get<Range>(field.constraint));
  }
};

std::string default_text(const Field& field) {
  if (!field.default_in_words.empty()) return std::string(field.default_in_words);
  Config defaults;
  return fmt::format("`{}`", value_text(field.member(defaults)));
}

/// Says for which values the key counts, or for which it does not, whichever is shorter.
std::string rule_text(const OnlyFor& rule) {
  Choices others;
  for (const std::string_view value : std::get<Choices>(decider_of(rule).constraint))
    if (std::ranges::find(rule.values, value) == rule.values.end()) others.push_back(value);
  if (others.empty()) return "";
  if (others.size() < rule.values.size())
    return fmt::format("not where `{}` is {}{}", rule.decider, listed(others, " or "),
                       rule.must_be_default ? ": there another value is refused" : "");
  return fmt::format("only where `{}` is {}{}", rule.decider, listed(rule.values, " or "),
                     rule.must_be_default ? ": elsewhere another value is refused" : "");
}

}  // namespace

std::string values_text(const Field& field) {
  Config config;
  return std::visit(Values{field}, field.member(config));
}

std::string rules_text(const Field& field) {
  std::vector<std::string> rules;
  for (const OnlyFor& rule : field.only_for)
    if (const std::string text = rule_text(rule); !text.empty()) rules.push_back(text);
  return fmt::format("{}", fmt::join(rules, "; "));
}

std::string describe_keys(TextForm form) {
  TextTable table{.header = {"key", "values", "default", "meaning", "where it counts, if not everywhere"}, .rows = {}};
  for (const Field& field : config_fields())
    table.rows.push_back({fmt::format("`{}`", field.name()), values_text(field), default_text(field),
                          std::string(field.meaning), rules_text(field)});
  return to_text(table, form);
}

}  // namespace sparsepush
