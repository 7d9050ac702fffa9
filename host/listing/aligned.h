// Lines for a terminal, with columns one below the other.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sparsepush {

/// A line for each of `rows`, which all have as many cells.
std::string aligned(const std::vector<std::vector<std::string>>& rows);

/// A row of them: `name`, both values, and b - a where there are both.
std::vector<std::string> compared(const std::string& name, std::optional<double> a, std::optional<double> b);

/// %.9g, but whole numbers with all digits: bytes have more. Empty without a value.
std::string number_word(std::optional<double> value);

/// What came from outside: as it is, or in quotes where it has control characters.
std::string on_one_line(std::string_view text);

}  // namespace sparsepush
