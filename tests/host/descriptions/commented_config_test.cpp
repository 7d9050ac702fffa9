#include "host/descriptions/commented_config.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "host/config/config.h"
#include "host/config/config_fields.h"

namespace sparsepush {
namespace {

TEST(CommentedConfig, IsTheDefaultConfiguration) {
  EXPECT_EQ(to_toml(parse_config(commented_config(), {})), to_toml(parse_config("", {})));
}

TEST(CommentedConfig, HasEveryKeyWithItsMeaning) {
  const std::string text = commented_config();
  for (const Field& field : config_fields()) {
    EXPECT_NE(text.find(fmt::format("{} = ", field.key)), std::string::npos) << field.name();
    std::string meaning(field.meaning);
    std::erase(meaning, '`');  // marks of Markdown
    EXPECT_NE(text.find(fmt::format("# {}: ", meaning)), std::string::npos) << field.name();
  }
}

TEST(CommentedConfig, WhatIsAValueCanBeChanged) {
  std::string text = commented_config();
  const std::string line = "\nnodes = ";
  const auto begin = text.find(line);
  ASSERT_NE(begin, std::string::npos);
  text.replace(begin, text.find('\n', begin + 1) - begin, "\nnodes = 3");
  EXPECT_EQ(parse_config(text, {}).run.nodes, 3);
}

}  // namespace
}  // namespace sparsepush
