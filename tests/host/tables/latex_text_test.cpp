#include "host/tables/latex_text.h"

#include <gtest/gtest.h>

namespace sparsepush {
namespace {

TEST(LatexText, EscapesWhatWouldBeACommand) {
  EXPECT_EQ(latex_text("_%&#${}"), "\\_\\%\\&\\#\\$\\{\\}");
  EXPECT_EQ(latex_text("~^\\`"), "\\textasciitilde{}\\textasciicircum{}\\textbackslash{}\\textasciigrave{}");
  EXPECT_EQ(latex_text("a<b>c|d"), "a\\textless{}b\\textgreater{}c\\textbar{}d");
  EXPECT_EQ(latex_text("[64] *"), "{[}64] {*}");
}

TEST(LatexText, HasSignsThatTextFontsLackInMathematics) {
  EXPECT_EQ(latex_text("91.2 ± 0.3"), "91.2 $\\pm$ 0.3");
  EXPECT_EQ(latex_text("α≥2×β"), "$\\alpha$$\\geq$2$\\times$$\\beta$");
  EXPECT_EQ(latex_text("é ü ß"), "é ü ß");
}

TEST(LatexText, HasAMinusBeforeNumbersOnly) {
  EXPECT_EQ(latex_text("-0.4 ± 0.1"), "$-$0.4 $\\pm$ 0.1");
  EXPECT_EQ(latex_text("Sparse-Push"), "Sparse-Push");
  EXPECT_EQ(latex_text("-x"), "-x");
}

TEST(LatexText, JoinsNoCharacters) {
  EXPECT_EQ(latex_text("a--b---c"), "a-{}-b-{}-{}-c");
  EXPECT_EQ(latex_text("''q'',,"), "'{}'q'{}',{},");
  EXPECT_EQ(latex_text("-"), "-");
}

TEST(LatexText, IsOneLineWithoutControlCharacters) {
  EXPECT_EQ(latex_text("two\nlines\ttabs"), "two lines tabs");
  EXPECT_EQ(latex_text("a\x7f"
                       "b\xc2\x85"
                       "c"),
            "a b c");
}

}  // namespace
}  // namespace sparsepush
