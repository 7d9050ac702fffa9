#include "data/files/unsynced_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>

#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

TEST(UnsyncedFile, ReplacesAFileAndItsLeftovers) {
  const TemporaryFolder folder;
  const std::string path = folder / "points.csv";
  write_file(path + ".tmp", "left by a killed run, and longer");
  for (const std::string text : {"new", "", "newer"}) {
    replace_unsynced(path, text);
    EXPECT_EQ(read_file(path), text);
    EXPECT_EQ(folder.files(), 1u);
  }
}

TEST(UnsyncedFile, WhatCannotBeReplacedStaysAndNothingIsLeft) {
  const TemporaryFolder folder;
  const std::string path = folder / "a folder";
  std::filesystem::create_directory(path);
  EXPECT_THROW(replace_unsynced(path, "text"), std::runtime_error);
  EXPECT_TRUE(std::filesystem::is_directory(path));
  EXPECT_EQ(folder.files(), 1u);
  EXPECT_THROW(replace_unsynced(folder / "nowhere/points.csv", "text"), std::runtime_error);
}

}  // namespace
}  // namespace sparsepush
