// Files that are copies of each other.
#pragma once
#include <filesystem>

namespace sparsepush {

/// Returns whether both files can be read and have the same bytes.
bool have_same_content(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace sparsepush
