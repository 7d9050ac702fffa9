// Two tables side by side.
#pragma once
#include <filesystem>
#include <string>

namespace sparsepush {

/// The columns that both have of table.csv, of rows that agree in name and in the keys that both sweep. Throws
/// InputError for what a table does not leave so.
std::string compare_tables(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace sparsepush
