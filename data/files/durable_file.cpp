#include "data/files/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace sparsepush {
namespace {

void sync_folder_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  const OpenFile opened(folder, O_RDONLY | O_DIRECTORY);
  // Some file systems cannot sync folders and say EINVAL; there is nothing more to be done on them.
  if (fsync(opened.descriptor()) != 0 && errno != EINVAL) throw_file_error("sync", folder, errno);
}

void reserve(int descriptor, std::int64_t bytes, const std::string& path) {
  if (bytes == 0) return;
  int error = 0;
  do error = posix_fallocate(descriptor, 0, bytes);
  while (error == EINTR);
  if (error == EOPNOTSUPP || error == EINVAL) error = ftruncate(descriptor, bytes) == 0 ? 0 : errno;
  if (error != 0) throw_file_error("reserve " + std::to_string(bytes) + " bytes for", path, error);
}

}  // namespace

void throw_file_error(const std::string& action, const std::string& path, int error) {
  throw std::runtime_error("cannot " + action + " " + path + ": " + std::generic_category().message(error));
}

OpenFile::OpenFile(const std::string& path, int flags) : path_(path), descriptor_(-1) {
  do descriptor_ = open(path.c_str(), flags | O_CLOEXEC, 0644);
  while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) throw_file_error("open", path, errno);
}

OpenFile::~OpenFile() { close(descriptor_); }

void OpenFile::write_at(std::int64_t offset, std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(descriptor_, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw_file_error("write", path_, written < 0 ? errno : ENOSPC);
    bytes = bytes.subspan(written);
    offset += written;
  }
}

void OpenFile::append(const std::string& text) const {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t written = write(descriptor_, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) throw_file_error("write", path_, written < 0 ? errno : ENOSPC);
    done += written;
  }
}

void OpenFile::sync() const {
  if (fsync(descriptor_) != 0) throw_file_error("sync", path_, errno);
}

ReplacingFile::ReplacingFile(std::string path, std::int64_t bytes)
    : path_(std::move(path)), temporary_(path_ + ".tmp"), file_(temporary_, O_WRONLY | O_CREAT | O_TRUNC) {
  try {
    reserve(file_.descriptor(), bytes, temporary_);
  } catch (...) {
    unlink(temporary_.c_str());
    throw;
  }
}

ReplacingFile::~ReplacingFile() {
  if (!committed_) unlink(temporary_.c_str());
}

void ReplacingFile::commit() {
  file_.sync();
  if (rename(temporary_.c_str(), path_.c_str()) != 0) throw_file_error("replace", path_, errno);
  committed_ = true;
  sync_folder_of(path_);
}

void replace_file(const std::string& path, const std::string& text) {
  ReplacingFile file(path, static_cast<std::int64_t>(text.size()));
  file.write_at(0, std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace sparsepush
