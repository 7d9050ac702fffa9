// Tables as aligned text and as Markdown.
#include "host/descriptions/text_table.h"

#include <gtest/gtest.h>

namespace sparsepush {
namespace {

const TextTable kTable = {.header = {"key", "meaning"}, .rows = {{"`nodes`", "devices"}, {"`k`", "`a` or `bc`"}}};

TEST(TextTable, PlainTextIsAlignedWithoutBackticksOrSpacesAtLineEnds) {
  EXPECT_EQ(to_text(kTable, TextForm::kPlain),
            "key    meaning\n"
            "-----  -------\n"
            "nodes  devices\n"
            "k      a or bc\n");
}

TEST(TextTable, MarkdownKeepsBackticks) {
  EXPECT_EQ(to_text(kTable, TextForm::kMarkdown),
            "| key | meaning |\n"
            "|---|---|\n"
            "| `nodes` | devices |\n"
            "| `k` | `a` or `bc` |\n");
}

TEST(TextTable, PlainColumnsOf28CharactersWrapAtSpacesAndNeverInsideAWord) {
  const std::string full = std::string(20, 'a') + " " + std::string(7, 'b'), word(30, 'c');
  const TextTable table{.header = {"1", "2"}, .rows = {{full + " d", "e"}, {word + " f", "`" + full + "`"}}};
  std::string expected = "1" + std::string(31, ' ') + "2\n";
  expected += std::string(30, '-') + "  " + std::string(28, '-') + "\n";
  expected += full + "    e\nd\n";
  expected += word + "  " + full + "\nf\n";
  EXPECT_EQ(to_text(table, TextForm::kPlain), expected);
}

TEST(TextTable, AnEmptyCellStaysEmpty) {
  const TextTable table{.header = {"1", "2"}, .rows = {{"", "b"}, {"a", ""}}};
  EXPECT_EQ(to_text(table, TextForm::kPlain), "1  2\n-  -\n   b\na\n");
  EXPECT_EQ(to_text(table, TextForm::kMarkdown), "| 1 | 2 |\n|---|---|\n|  | b |\n| a |  |\n");
}

TEST(TextTable, WordsAreListedInBackticks) {
  EXPECT_EQ(listed({}), "");
  EXPECT_EQ(listed({"a"}, " or "), "`a`");
  EXPECT_EQ(listed({"a", "b"}, " or "), "`a` or `b`");
  EXPECT_EQ(listed({"a", "b", "c"}, " or "), "`a`, `b` or `c`");
  EXPECT_EQ(listed({"a", "b", "c"}), "`a`, `b`, `c`");
}

}  // namespace
}  // namespace sparsepush
