// A test fixture with a folder of its own for configuration and topology files.
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "data/files/input_error.h"
#include "host/config/config.h"

namespace sparsepush {

/// A folder for each test; errors are compared without its name.
class ConfigFile : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    const std::string name = fmt::format("sparsepush_{}_{}_{}", test->test_suite_name(), test->name(), getpid());
    folder_ = std::filesystem::path(::testing::TempDir()) / name;
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  Config load(const std::string& text, const std::vector<std::string>& overrides = {}) const {
    return load_config(write("a.toml", text), overrides);
  }
  // The message that loading ends with, "" if it succeeds.
  std::string error(const std::string& text, const std::vector<std::string>& overrides = {}) const {
    return error_of(write("a.toml", text), overrides);
  }
  std::string error_of(const std::string& path, const std::vector<std::string>& overrides = {}) const {
    try {
      load_config(path, overrides);
      return "";
    } catch (const InputError& e) {
      std::string line = e.what();
      const std::string prefix = folder_.string() + "/";
      for (std::size_t at = line.find(prefix); at != std::string::npos; at = line.find(prefix))
        line.erase(at, prefix.size());
      EXPECT_EQ(line.find_first_of("\n\r"), std::string::npos) << line;
      return line;
    }
  }
  // The same for one override of an empty file, without the location.
  std::string set_error(const std::string& assignment) const {
    const std::string line = error("", {assignment}), where = "--set " + assignment + ": ";
    EXPECT_TRUE(line.starts_with(where)) << line;
    return line.substr(std::min(line.size(), where.size()));
  }

  std::filesystem::path folder_;
};

}  // namespace sparsepush
