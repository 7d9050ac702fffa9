// Two runs side by side.
#pragma once
#include <filesystem>
#include <string>

namespace sparsepush {

/// Returns the keys of config.toml that differ, the files by whether their content is equal, and the last rows of
/// metrics.csv with their difference, as text. Throws InputError for a file that is not as a run leaves it.
std::string compare_runs(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace sparsepush
