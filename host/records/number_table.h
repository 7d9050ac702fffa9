// CSV files of numbers under named columns, as metrics.csv and timing.csv are.
#pragma once
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sparsepush {

struct NumberTable {
  std::vector<std::string> columns = {};
  std::vector<std::vector<double>> rows = {};  ///< [lines][columns] NaN where empty

  std::optional<std::size_t> find(std::string_view column) const;
};

/// The fields of a line without quotes.
std::vector<std::string_view> fields_of(std::string_view line);

/// The whole file. Throws InputError that names the file and the line that is wrong.
NumberTable read_numbers(const std::filesystem::path& path);

/// The header and at most `lines` lines from the end, of which one that is torn does not count. Reads nothing of what
/// is between. Throws InputError.
NumberTable read_last_numbers(const std::filesystem::path& path, std::size_t lines);

}  // namespace sparsepush
