#include "host/listing/find_runs.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include "host/tables/table_folder.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

/// Returns whether runs write a file of this name; whether it is whole, only a reader of the run can tell.
bool runs_have(const std::string& name) {
  return name == ".lock" || name == "config.toml" || name == "metrics.csv" || name == "checkpoint.safetensors" ||
         name == "summary.json";
}

class Search {
 public:
  void look_into(const fs::path& folder) {
    struct stat status {};
    if (stat(folder.c_str(), &status) != 0 || !seen_.emplace(status.st_dev, status.st_ino).second) return;
    std::vector<fs::path> below;
    bool is_run = false, is_table = false, has_files = false;
    std::error_code error;
    for (auto entry = fs::directory_iterator(folder, error); !error && entry != fs::directory_iterator();
         entry.increment(error)) {
      const std::string name = entry->path().filename().string();
      is_run |= runs_have(name);
      is_table |= name == kPointsFile || name == "table.toml";
      has_files |= !name.starts_with('.');
      std::error_code unknown;  // a link that leads nowhere is no folder
      if (!name.starts_with('.') && entry->is_directory(unknown)) below.push_back(entry->path());
    }
    if (error) {
      found_.push_back({folder, FolderKind::kUnreadable});
    } else if (is_table && is_table_folder(folder)) {
      look_below({folder / "points"});
    } else if (is_run) {
      found_.push_back({folder, FolderKind::kRun});
    } else if (!below.empty()) {
      look_below(std::move(below));
    } else if (has_files) {
      found_.push_back({folder, FolderKind::kForeign});
    }
  }

  std::vector<FoundFolder> found() && { return std::move(found_); }

 private:
  void look_below(std::vector<fs::path> folders) {
    std::ranges::sort(folders);
    for (const fs::path& folder : folders) look_into(folder);
  }

  std::set<std::pair<dev_t, ino_t>> seen_;
  std::vector<FoundFolder> found_;
};

}  // namespace

std::vector<FoundFolder> find_runs(const std::vector<fs::path>& folders) {
  Search search;
  for (const fs::path& folder : folders) search.look_into(folder);
  return std::move(search).found();
}

}  // namespace sparsepush
