// Lines for a terminal, with columns one below the other.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sparsepush {

/// Returns a line for each of `rows`, which all have as many cells, with their columns one below the other.
std::string aligned(const std::vector<std::vector<std::string>>& rows);

/// Makes a row for `aligned`: `name`, both values, and b - a where there are both.
std::vector<std::string> compared(const std::string& name, std::optional<double> a, std::optional<double> b);

/// Returns a number as %.9g, but whole numbers with all digits: bytes have more. Empty without a value.
std::string number_word(std::optional<double> value);

/// Returns text that came from outside as it is, or in quotes where it has control characters.
std::string on_one_line(std::string_view text);

}  // namespace sparsepush
