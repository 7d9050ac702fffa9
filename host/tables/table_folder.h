// The folder that a table writes.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "host/records/run_folder.h"
#include "host/tables/points.h"

namespace sparsepush {

constexpr const char* kPointsFile = "points.csv";  ///< to be written before any other: it tells a table's folder

/// Returns whether `path` is a table's folder; others may have a file called points.csv, too.
bool is_table_folder(const std::filesystem::path& path);

/// Owns a table's folder, so that a second table cannot write into it at the same time.
class TableFolder {
 public:
  /// Creates `path`. Throws InputError where it is not empty and no table's, cannot be written, or is in use.
  explicit TableFolder(const std::filesystem::path& path);

  std::filesystem::path points() const { return folder_.file("points"); }
  /// Lists the folders below points/ by the short ids at the end of their names.
  std::multimap<std::string, std::string> folders() const;
  /// Returns a file's content; empty where there is none.
  std::string read(const std::string& name) const;
  /// Replaces a file unless it has this content already.
  void write(const std::string& name, const std::string& text) const;
  /// Replaces a file that is written often: whole after a kill, on disk after `sync`.
  void write_unsynced(const std::string& name, const std::string& text) const;
  void sync(const std::string& name) const;

 private:
  RunFolder folder_;
};

}  // namespace sparsepush
