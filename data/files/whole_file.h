// Files that are read at once.
#pragma once
#include <filesystem>
#include <string>

namespace sparsepush {

/// Returns what the file holds, and nothing if it cannot be read.
std::string text_of(const std::filesystem::path& path);

/// Returns what the file holds. Throws InputError if it cannot be read.
std::string read_text(const std::filesystem::path& path);

}  // namespace sparsepush
