// The folders of runs below others.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace sparsepush {

enum class FolderKind { kRun, kForeign, kUnreadable };

struct FoundFolder {
  std::filesystem::path path;
  FolderKind kind = FolderKind::kRun;
};

/// Finds every run at or below `folders`, the points of tables too, and every folder with files that is no run's and
/// has no folder below it. Links are followed, and no folder is found twice. Hidden folders, and whatever else stands
/// below the folders of runs and tables, are left out.
std::vector<FoundFolder> find_runs(const std::vector<std::filesystem::path>& folders);

}  // namespace sparsepush
