// The folder that a run writes.
#pragma once
#include <filesystem>
#include <string>

#include "data/files/durable_file.h"

namespace sparsepush {

/// Owns a run's folder while the run goes on, so that a second run cannot write into it at the same time. The lock is
/// on a file `.lock` that stays in the folder; a folder with nothing else counts as empty.
class RunFolder {
 public:
  /// Creates `path`. Throws InputError if it exists, is not empty and `resume` is false, if it is not a folder, cannot
  /// be created or written, or is in use by another process.
  RunFolder(std::filesystem::path path, bool resume);

  std::filesystem::path file(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }
  /// Replaces a small text file: temporary file, sync, rename. Throws std::runtime_error when the disk is full.
  void write_text(const std::string& name, const std::string& text) const;
  /// Appends one line with the time of day to log.txt.
  void log(const std::string& line) const;

 private:
  std::filesystem::path path_;
  OpenFile lock_;
};

}  // namespace sparsepush
