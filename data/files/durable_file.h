// Files that survive a crash: either the old content or the complete new one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace sparsepush {

/// Throws std::runtime_error "cannot <action> <path>: <what errno says>".
[[noreturn]] void throw_file_error(const std::string& action, const std::string& path, int error);

/// An open file that closes itself. What fails throws std::runtime_error naming the file.
class OpenFile {
 public:
  /// Opens `path` with flags as for open(2), O_CLOEXEC added.
  OpenFile(const std::string& path, int flags);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int descriptor() const { return descriptor_; }
  void write_at(std::int64_t offset, std::span<const std::byte> bytes) const;
  void append(const std::string& text) const;  ///< in one write(2) unless the system cuts it short
  void sync() const;

 private:
  std::string path_;
  int descriptor_;
};

/// The new content of `path`, written as `<path>.tmp`. Without `commit` the temporary file is removed again.
/// All members throw std::runtime_error naming the file.
class ReplacingFile {
 public:
  /// Creates the temporary file and reserves `bytes` bytes on the disk, so that a full disk fails here.
  ReplacingFile(std::string path, std::int64_t bytes);
  ~ReplacingFile();
  ReplacingFile(const ReplacingFile&) = delete;
  ReplacingFile& operator=(const ReplacingFile&) = delete;

  /// Writes `bytes` at `offset` bytes from the file's beginning. May be called from several threads at once.
  void write_at(std::int64_t offset, std::span<const std::byte> bytes) const { file_.write_at(offset, bytes); }
  /// Syncs the file, renames it to `path` and syncs the folder.
  void commit();

 private:
  std::string path_, temporary_;
  OpenFile file_;
  bool committed_ = false;
};

/// Replaces the file `path` by `text`, which is on the disk then. Throws std::runtime_error naming the file.
void replace_file(const std::string& path, const std::string& text);

}  // namespace sparsepush
