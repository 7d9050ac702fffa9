// What `sparsepush diff` says of two runs or two tables.
#pragma once
#include <filesystem>
#include <string>

namespace sparsepush {

/// Compares two runs, as compare_runs does, or two tables, as compare_tables does. Throws InputError where one is no
/// folder of a run or table, they are not of one kind, or what they hold cannot be read.
std::string compare_folders(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace sparsepush
