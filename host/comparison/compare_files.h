// Which files two folders have in common.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace sparsepush {

/// Paths below the folders, sorted; hidden files are left out.
struct ComparedFiles {
  std::vector<std::string> equal = {}, different = {};  ///< in both folders, by content
  std::vector<std::string> only_in_a = {}, only_in_b = {};

  bool are_equal(const std::string& name) const;
  bool are_different(const std::string& name) const;
};

/// Compares the files below two folders by name and content. A file that cannot be read counts as different.
ComparedFiles compare_files(const std::filesystem::path& a, const std::filesystem::path& b);

/// Lists the names, a line for each list that is not empty.
std::string describe_files(const ComparedFiles& files);

}  // namespace sparsepush
