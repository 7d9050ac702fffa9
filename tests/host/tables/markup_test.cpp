#include "host/tables/markup.h"

#include <gtest/gtest.h>

#include "host/tables/cells.h"

namespace sparsepush {
namespace {

TEST(MarkdownText, EscapesWhatWouldBeMarkup) {
  EXPECT_EQ(markdown_text("accuracy_mean of x_y"), "accuracy_mean of x_y");
  EXPECT_EQ(markdown_text("_a_ *b* `c`"), "\\_a\\_ \\*b\\* \\`c\\`");
  EXPECT_EQ(markdown_text("a|b"), "a\\|b");
  EXPECT_EQ(markdown_text("<b> & $x$ [1] ~2~ \\"), "\\<b\\> \\& \\$x\\$ \\[1\\] \\~2\\~ \\\\");
  EXPECT_EQ(markdown_text("50 % #1"), "50 % #1");
  EXPECT_EQ(markdown_text("two\nlines"), "two lines");
  EXPECT_EQ(markdown_text("# head"), "\\# head");
  EXPECT_EQ(markdown_text("- a"), "\\- a");
  EXPECT_EQ(markdown_text("12. a"), "12\\. a");
  for (const char* as_it_is : {"-0.4 ± 0.1", "91.2 ± 0.3", "1.5", "#1", "+2"})
    EXPECT_EQ(markdown_text(as_it_is), as_it_is);
}

TEST(CommandNote, IsOneSpanOfCodeWhateverTheCommand) {
  EXPECT_EQ(command_note("sparsepush table a.toml"), "- Command: `sparsepush table a.toml`\n");
  EXPECT_EQ(command_note("sparsepush table 'a``b.toml' --set a=`"),
            "- Command: ``` sparsepush table 'a``b.toml' --set a=` ```\n");
}

TEST(LatexTable, IsOneTabularWithHeadsOfGroups) {
  const TableLayout layout{.stub = {"method", "kept"},
                           .groups = {"IID", "50 % skewed"},
                           .columns = {"a_b", "c"},
                           .rows = {{"SGP", "", "1", "2", "3", "4"}, {"A&B", "0.1", "5", "", "6", "7"}}};
  EXPECT_EQ(table_latex(layout),
            "\\begin{tabular}{llrrrr}\n\\toprule\n"
            " &  & \\multicolumn{2}{c}{IID} & \\multicolumn{2}{c}{50 \\% skewed} \\\\\n"
            "\\cmidrule(lr){3-4}\\cmidrule(lr){5-6}\n"
            "method & kept & a\\_b & c & a\\_b & c \\\\\n\\midrule\n"
            "SGP &  & 1 & 2 & 3 & 4 \\\\\nA\\&B & 0.1 & 5 &  & 6 & 7 \\\\\n\\bottomrule\n\\end{tabular}\n");
}

std::string cell(const std::string& column, std::optional<double> mean, std::optional<double> sd, Spread spread) {
  return cell_of(parse_column(column, ""), {.n = sd ? 4 : 1, .mean = mean, .sd = sd}, spread);
}

TEST(Cell, IsWhatAReaderWants) {
  EXPECT_EQ(cell("accuracy_mean", 0.9123, 0.0031, Spread::kSd), "91.2 ± 0.3");
  EXPECT_EQ(cell("accuracy_mean:gap", -0.004, 0.0, Spread::kSd), "-0.4 ± 0.0");
  EXPECT_EQ(cell("accuracy_mean", 0.9123, 0.0031, Spread::kNone), "91.2");
  EXPECT_EQ(cell("accuracy_mean", 0.9123, 0.0100, Spread::kInterval), "91.2 ± 1.6");  // t = 3.182, n = 4
  EXPECT_EQ(cell("bytes_wire", 1234567, 0.0, Spread::kSd), "1.2 MB");
  EXPECT_EQ(cell("bytes_wire", 1234567, 4000, Spread::kSd), "1.2 MB ± 4.0 kB");
  EXPECT_EQ(cell("bytes_wire:ratio", 72.04, std::nullopt, Spread::kSd), "72x");
  EXPECT_EQ(cell("bytes_wire:ratio", 466.3, 1.5, Spread::kSd), "466x ± 2x");
  EXPECT_EQ(cell("consensus", 0.000123456, std::nullopt, Spread::kSd), "0.000123");
  EXPECT_EQ(cell("step@reach", 12345, std::nullopt, Spread::kSd), "12345");
  EXPECT_EQ(cell("step@reach", 533.33, 206.6, Spread::kSd), "533 ± 207");
  EXPECT_EQ(cell("step@reach", 20, 0.0, Spread::kSd), "20.0 ± 0.0");
  EXPECT_EQ(cell("step@reach", 999.7, std::nullopt, Spread::kSd), "1000");
  EXPECT_EQ(cell("test_loss", 2.3451, 0.0012, Spread::kSd), "2.345 ± 0.001");
  EXPECT_EQ(cell("test_loss:gap", 0.0004, 0.51, Spread::kSd), "0.000 ± 0.510");
  EXPECT_EQ(cell("consensus", 1.234e-5, 2.1e-6, Spread::kSd), "1.23e-05 ± 2.1e-06");
  EXPECT_EQ(cell("bytes_wire:ratio", 466.3, 120.0, Spread::kSd), "466x ± 120x");
  EXPECT_EQ(cell("bytes_wire:ratio", 3.456, 0.0001, Spread::kSd), "3.5x");
  EXPECT_EQ(cell("accuracy_mean:gap", -0.0004, 0.002, Spread::kSd), "0.0 ± 0.2");
  EXPECT_EQ(cell("consensus", std::nullopt, std::nullopt, Spread::kSd), "");
}

TEST(Cell, HasItsMeanReadBack) {
  const std::pair<const char*, double> cells[] = {
      {"91.2 ± 0.3", 91.2}, {"-0.4 ± 0.0", -0.4}, {"1.2 MB ± 4.0 kB", 1.2e6},      {"-3.0 kB", -3e3},
      {"12 B", 12},         {"466x ± 2x", 466},   {"1.23e-05 ± 2.1e-06", 1.23e-5}, {"0x", 0}};
  for (const auto& [text, value] : cells) {
    ASSERT_TRUE(value_of_cell(text)) << text;
    EXPECT_DOUBLE_EQ(*value_of_cell(text), value) << text;
  }
  for (const char* words : {"", "2 of 3 reached", "diverged (1 of 3)", "waiting", "nan", "inf", "x", "3 nodes", " 1"})
    EXPECT_FALSE(value_of_cell(words)) << words;
}

RowResult row(Status status, int diverged, const Statistic& statistic) {
  RowResult result{.status = status, .diverged = diverged, .columns = {statistic, statistic}};
  result.replicas.resize(3);
  return result;
}

TEST(Cells, SayWhyThereIsNoNumber) {
  const TableSettings settings{.columns = {parse_column("accuracy_mean", ""), parse_column("step@reach", "")},
                               .reading = {.reach = 0.5}};
  using Texts = std::vector<std::string>;
  EXPECT_EQ(cells_of(row(Status::kDiverged, 1, {}), settings), Texts({"diverged (1 of 3)", ""}));
  EXPECT_EQ(cells_of(row(Status::kWaiting, 0, {}), settings), Texts({"waiting", ""}));
  EXPECT_EQ(cells_of(row(Status::kFinished, 0, {.n = 2}), settings), Texts({"", "2 of 3 reached"}));
  const TableSettings compared{.columns = {parse_column("step@reach:ratio", ""), parse_column("step@reach", "")},
                               .reading = {.reach = 0.5}};
  EXPECT_EQ(cells_of(row(Status::kFinished, 0, {.n = 0}), compared), Texts({"0 of 3 pairs reached", "0 of 3 reached"}));
  EXPECT_EQ(cells_of(row(Status::kFinished, 0, {.n = 3, .mean = 0.5}), settings), Texts({"50.0", "0.5"}));
}

}  // namespace
}  // namespace sparsepush
