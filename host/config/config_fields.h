// The one list of configuration keys. Parsing, messages, output and hash are all driven by it.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "host/config/config.h"

namespace sparsepush {

/// Where the value of a key is stored. An optional is a number or the word "auto" (nullopt).
using Member =
    std::variant<bool*, int*, std::int64_t*, std::uint64_t*, double*, std::string*, std::vector<std::int64_t>*,
                 std::vector<double>*, std::optional<std::int64_t>*, std::optional<double>*>;

/// min <= value <= max, for every entry if the key is a list.
struct IntegerRange {
  std::int64_t min = 0, max = 0;
};

/// min <= value <= max, without the ends that are open.
struct NumberRange {
  double min = 0, max = 0;
  bool open_min = false, open_max = false;
};

using Choices = std::vector<std::string_view>;
using Constraint = std::variant<std::monostate, IntegerRange, NumberRange, Choices>;

/// A key counts only where the string key `decider` has one of `values`. Elsewhere it is refused from the command line
/// and left out of a file, with a warning, so that one file serves several methods.
struct OnlyFor {
  std::string_view decider;  ///< such as "algorithm.name"
  Choices values;
  bool must_be_default = false;  ///< elsewhere another value is refused, in a file too
};

/// One key of the configuration.
struct Field {
  std::string_view section = "";  ///< filled in by the list of all keys
  std::string_view key;
  std::string_view meaning;  ///< half a line for users
  Member (*member)(Config&);
  Constraint constraint = {};
  std::vector<OnlyFor> only_for = {};
  std::string_view default_in_words = "";      ///< the default, where a default Config's does not count
  std::string_view also_called = "";           ///< what others call it, separated by spaces: suggested for these
  bool changes_bits = true;                    ///< counts for the hash
  bool came_later = false;                     ///< hashed only where not at its default: older runs keep their hash
  bool (*counts_in)(const Config&) = nullptr;  ///< hashed only where this returns true, if set
  bool is_file = false;                        ///< a path; its contents count for the hash, not its name
  bool is_folder = false;                      ///< a path; the data set's name tells the contents
  bool by_replica = false;                     ///< runs side by side may differ in it

  std::string name() const { return std::string(section) + '.' + std::string(key); }
};

/// Lists all keys, section by section.
const std::vector<Field>& config_fields();

/// Lists all sections, in the order of their keys.
std::vector<std::string_view> config_sections();

/// Finds a key; null if there is none.
const Field* find_field(std::string_view section, std::string_view key);

/// Returns the first rule by which the key does not count in `config`; null if it counts.
const OnlyFor* why_unused(const Field& field, const Config& config);

/// Returns the key whose value decides by this rule; its value is one of some choices.
const Field& decider_of(const OnlyFor& rule);

/// Returns the value in `config` of the key that decides by this rule.
std::string decider_value(const OnlyFor& rule, const Config& config);

}  // namespace sparsepush
