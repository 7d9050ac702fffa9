// CSV files with texts in them (RFC 4180).
#pragma once
#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace sparsepush {

/// A line that is made field by field. Floating-point numbers are written as %.9g, missing values as empty fields.
class CsvLine {
 public:
  /// Adds a field, in quotes where it holds commas, quotes or ends of lines.
  CsvLine& add(std::string_view text);
  template <class Number>
  requires std::is_arithmetic_v<Number> CsvLine& add(Number value) {
    if constexpr (std::is_integral_v<Number>) return add(fmt::format("{}", value));
    return add(fmt::format("{:.9g}", static_cast<double>(value)));
  }
  template <class Value>
  CsvLine& add(const std::optional<Value>& value) {
    return value ? add(*value) : add("");
  }
  CsvLine& add_all(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) add(text);
    return *this;
  }
  template <class Value>
  CsvLine& add_all(const std::vector<std::optional<Value>>& values) {
    for (const std::optional<Value>& value : values) add(value);
    return *this;
  }
  /// Returns the line with its line feed.
  std::string end() const { return line_ + '\n'; }

 private:
  std::string line_;
  bool is_first_ = true;
};

/// Reads the fields of each line of `text`; empty lines are left out. A quote that nothing closes ends with the text.
std::vector<std::vector<std::string>> parse_csv(std::string_view text);

}  // namespace sparsepush
