// Two tables side by side.
#pragma once
#include <filesystem>
#include <string>

namespace sparsepush {

/// Returns, as text, the columns of table.csv that both tables have, side by side, for rows that agree in name and in
/// the keys that both sweep. Throws InputError for a file that is not as a table leaves it.
std::string compare_tables(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace sparsepush
