#include "host/tables/markdown_table.h"

#include <gtest/gtest.h>

#include "host/descriptions/text_table.h"
#include "host/tables/markup.h"

namespace sparsepush {
namespace {

using Cells = std::vector<std::string>;

TEST(MarkdownTable, HasTheTextsThatWereWritten) {
  const Cells head{"method", "a|b \\ <c> & $x$ [1] ~2~", ""};
  const std::vector<Cells> rows{{"# 1", "91.2 ± 0.3", " _a_ *b* `c` "}, {"12. a", "", "\\|"}, {"| |", "\\", "\\\\"}};
  TextTable table;
  for (const std::string& text : head) table.header.push_back(markdown_text(text));
  for (const Cells& row : rows) {
    table.rows.emplace_back();
    for (const std::string& text : row) table.rows.back().push_back(markdown_text(text));
  }
  const std::string written = to_text(table, TextForm::kMarkdown);
  for (const char* behind : {"", "\n| claim |\n|---|\n| a |\n", "\n- n = 3\n"}) {
    const MarkdownTable read = first_markdown_table(written + behind);
    EXPECT_EQ(read.head, head);
    EXPECT_EQ(read.rows, rows);
  }
}

TEST(MarkdownTable, IsEmptyWhereThereIsNone) {
  for (const char* text : {"", "\n| a |\n|---|\n", "# Title\n", "|", "|\n", "||\n", "| a\n", "a | b\n",
                           "| a | b |\n|---|---|\n| 1 |\n", "| a |\n|---|\n| 1 | 2 |\n", "| a |\n|---|\n|\n"}) {
    const MarkdownTable read = first_markdown_table(text);
    EXPECT_TRUE(read.head.empty()) << text;
    EXPECT_TRUE(read.rows.empty()) << text;
  }
  EXPECT_EQ(first_markdown_table("| a |").head, Cells({"a"}));
}

}  // namespace
}  // namespace sparsepush
