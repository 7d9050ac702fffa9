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

/// Splits a line without quotes into its fields.
std::vector<std::string_view> fields_of(std::string_view line);

/// Reads the whole file. Throws InputError that names the file and the line that is wrong.
NumberTable read_numbers(const std::filesystem::path& path);

/// Reads the header and at most `lines` lines from the end, without a last line that is torn, and nothing in between.
/// Throws InputError.
NumberTable read_last_numbers(const std::filesystem::path& path, std::size_t lines);

}  // namespace sparsepush
