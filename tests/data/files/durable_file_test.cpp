#include "data/files/durable_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <stdexcept>

#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

/// Lets files grow to `bytes` only while it lives, as on a full disk.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t bytes) : signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small = {bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallFiles() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, signal_);
  }

 private:
  void (*signal_)(int);
  rlimit before_{};
};

TEST(DurableFile, AFullDiskFailsBeforeAnythingIsLost) {
  const TemporaryFolder folder;
  const std::string path = folder / "state";
  write_file(path, "old");
  std::string message;
  {
    const SmallFiles limit(4096);
    try {
      replace_file(path, std::string(40'000, 'x'));
    } catch (const std::runtime_error& error) {
      message = error.what();
    }
  }
  EXPECT_EQ(message, "cannot reserve 40000 bytes for " + path + ".tmp: " + std::strerror(EFBIG));
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(folder.files(), 1u);
}

TEST(DurableFile, ReplacesAFileAndItsLeftovers) {
  const TemporaryFolder folder;
  const std::string path = folder / "state";
  write_file(path + ".tmp", "left by a killed run, and longer");
  for (const std::string text : {"new", "", "newer"}) {
    replace_file(path, text);
    EXPECT_EQ(read_file(path), text);
    EXPECT_EQ(folder.files(), 1u);
  }
}

TEST(DurableFile, AppendsAtTheEnd) {
  const TemporaryFolder folder;
  write_file(folder / "log", "one\n");
  const OpenFile file(folder / "log", O_WRONLY | O_APPEND);
  file.append("two\n");
  file.append("");
  file.sync();
  EXPECT_EQ(read_file(folder / "log"), "one\ntwo\n");
}

TEST(DurableFile, WriteErrorsAreReported) {
  const OpenFile full("/dev/full", O_WRONLY);
  EXPECT_THROW(full.append("text"), std::runtime_error);
  EXPECT_THROW(full.write_at(0, std::as_bytes(std::span("text"))), std::runtime_error);
  const OpenFile null("/dev/null", O_WRONLY);
  EXPECT_THROW(null.sync(), std::runtime_error);
}

}  // namespace
}  // namespace sparsepush
