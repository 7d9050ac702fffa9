// Two runs side by side.
#pragma once
#include <filesystem>
#include <string>

namespace sparsepush {

/// Keys of config.toml that differ, files of equal content, and the last rows of metrics.csv with their difference.
/// Throws InputError for what a run does not leave so.
std::string compare_runs(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace sparsepush
