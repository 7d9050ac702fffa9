#include "host/records/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "data/files/input_error.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

constexpr const char* kLockName = ".lock";

void check_is_new(const fs::path& path) {
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    if (entry.path().filename() == kLockName) continue;
    throw InputError("{} exists and is not empty: pass --resume to go on with it, or another --out", path.string());
  }
}

/// Creates the folder where it is missing; returns the path of its lock.
std::string prepare_folder(const fs::path& path, bool resume) {
  try {
    if (fs::exists(path) && !fs::is_directory(path)) throw InputError("{} is not a folder", path.string());
    fs::create_directories(path);
    if (!resume) check_is_new(path);
  } catch (const fs::filesystem_error& error) {
    throw InputError("cannot use the folder {}: {}", path.string(), error.code().message());
  }
  return path / kLockName;
}

OpenFile open_lock(const std::string& path) try {
  return OpenFile(path, O_RDWR | O_CREAT);
} catch (const std::runtime_error& error) {
  throw InputError(error.what());
}

/// Takes the lock, or fails as flock does. Whoever looks whether a run has the lock has it for a moment; a run has it
/// for longer than this waits.
int take_lock(int descriptor) {
  for (int tries = 5;; --tries) {
    const int result = flock(descriptor, LOCK_EX | LOCK_NB);
    if (result == 0 || errno != EWOULDBLOCK || tries == 0) return result;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace

RunFolder::RunFolder(fs::path path, bool resume)
    : path_(std::move(path)), lock_(open_lock(prepare_folder(path_, resume))) {
  if (take_lock(lock_.descriptor()) != 0) {
    if (errno == EWOULDBLOCK) throw InputError("{} is in use by another run", path_.string());
    throw InputError("cannot lock {}: {}", path_.string(), std::generic_category().message(errno));
  }
  // Another run may have come and gone between the first look and the lock.
  if (!resume) check_is_new(path_);
}

void RunFolder::write_text(const std::string& name, const std::string& text) const { replace_file(file(name), text); }

void RunFolder::log(const std::string& line) const {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char time_of_day[32];
  std::strftime(time_of_day, sizeof time_of_day, "%Y-%m-%d %H:%M:%S ", &local);
  OpenFile(file("log.txt"), O_WRONLY | O_CREAT | O_APPEND).append(time_of_day + line + '\n');
}

}  // namespace sparsepush
