#include "host/records/run_folder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <sstream>
#include <vector>

#include "data/files/input_error.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

std::string refusal(const std::filesystem::path& path, bool resume) {
  try {
    const RunFolder folder(path, resume);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(RunFolder, IsCreatedWithItsParents) {
  const TemporaryFolder temporary;
  const RunFolder folder(temporary / "runs/a", false);
  EXPECT_TRUE(std::filesystem::is_directory(temporary / "runs/a"));
  EXPECT_EQ(folder.path(), temporary / "runs/a");
  EXPECT_EQ(folder.file("metrics.csv"), temporary / "runs/a/metrics.csv");
}

TEST(RunFolder, AnEmptyFolderIsTaken) {
  const TemporaryFolder temporary;
  EXPECT_EQ(refusal(temporary.path(), false), "");
  EXPECT_EQ(refusal(temporary.path(), false), "") << "the lock that stays is no content";
}

TEST(RunFolder, AFolderWithFilesNeedsResume) {
  const TemporaryFolder temporary;
  { RunFolder(temporary.path(), false).write_text("config.toml", "x"); }
  EXPECT_EQ(refusal(temporary.path(), false),
            temporary.path().string() + " exists and is not empty: pass --resume to go on with it, or another --out");
  EXPECT_EQ(refusal(temporary.path(), true), "");
  EXPECT_EQ(read_file(temporary / "config.toml"), "x");
}

TEST(RunFolder, AFolderThatIsRefusedIsLeftAlone) {
  const TemporaryFolder temporary;
  write_file(temporary / "letter", "dear reader");
  EXPECT_NE(refusal(temporary.path(), false), "");
  EXPECT_EQ(temporary.files(), 1u);
}

TEST(RunFolder, IsLockedWhileItIsInUse) {
  const TemporaryFolder temporary;
  {
    const RunFolder folder(temporary.path(), false);
    EXPECT_EQ(refusal(temporary.path(), false), temporary.path().string() + " is in use by another run");
    EXPECT_EQ(refusal(temporary.path(), true), temporary.path().string() + " is in use by another run");
  }
  EXPECT_EQ(refusal(temporary.path(), true), "");
}

TEST(RunFolder, AKilledRunLeavesNoLock) {
  const TemporaryFolder temporary;
  const pid_t child = fork();
  if (child == 0) {
    const RunFolder folder(temporary.path(), false);
    _exit(0);  // without destructors
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_EQ(refusal(temporary.path(), true), "");
}

TEST(RunFolder, PathsThatCannotBeFoldersAreRefused) {
  const TemporaryFolder temporary;
  write_file(temporary / "file", "");
  EXPECT_EQ(refusal(temporary / "file", false), temporary / "file" + " is not a folder");
  EXPECT_NE(refusal(temporary / "file/below", false), "");
  EXPECT_NE(refusal("", false), "");
  EXPECT_NE(refusal("/proc/self/missing", false), "");
  EXPECT_NE(refusal("/proc/self", true), "") << "files cannot be created there";
}

TEST(RunFolder, TextReplacesTheFile) {
  const TemporaryFolder temporary;
  const RunFolder folder(temporary.path(), false);
  folder.write_text("summary.json", "a longer text");
  folder.write_text("summary.json", "{}");
  EXPECT_EQ(read_file(temporary / "summary.json"), "{}");
  EXPECT_THROW(folder.write_text("missing/summary.json", "{}"), std::runtime_error);
}

TEST(RunFolder, LogLinesCarryTheTimeOfDay) {
  const TemporaryFolder temporary;
  const RunFolder folder(temporary.path(), false);
  folder.log("started");
  folder.log("ended");
  std::istringstream log(read_file(temporary / "log.txt"));
  const std::string form = "0000-00-00 00:00:00 ";
  std::vector<std::string> lines;
  for (std::string line; std::getline(log, line);) {
    ASSERT_GT(line.size(), form.size());
    for (std::size_t i = 0; i < form.size(); ++i) {
      EXPECT_TRUE(form[i] == '0' ? std::isdigit(line[i]) != 0 : line[i] == form[i]) << line;
    }
    lines.push_back(line.substr(form.size()));
  }
  EXPECT_EQ(lines, (std::vector<std::string>{"started", "ended"}));
}

}  // namespace
}  // namespace sparsepush
