#include "host/reports/html_text.h"

#include <gtest/gtest.h>

namespace sparsepush {
namespace {

TEST(HtmlText, EscapesMarkup) {
  EXPECT_EQ(html_text("_%&#$<>\"'"), "_%&amp;#$&lt;&gt;&quot;&#39;");
  EXPECT_EQ(html_text("</script>"), "&lt;/script&gt;");
  EXPECT_EQ(html_text("ä · ± 漢 😀"), "ä · ± 漢 😀");
  EXPECT_EQ(html_text("a\001b\037\177"), "a b  ");
  EXPECT_EQ(html_text("a\n\tb"), "a\n\tb");
}

TEST(HtmlText, ReplacesWhatIsNoText) {
  const std::string replacement = "\xef\xbf\xbd";
  EXPECT_EQ(html_text("\xff"), replacement);
  EXPECT_EQ(html_text("a\xc3"), "a" + replacement);                // cut off
  EXPECT_EQ(html_text("\xc0\xaf"), replacement + replacement);     // overlong
  EXPECT_EQ(html_text("\xed\xa0\x80").substr(0, 3), replacement);  // half of a pair
  EXPECT_EQ(html_text("\xef\xbf\xbf").substr(0, 3), replacement);  // no character
}

TEST(Shortened, CountsCharacters) {
  EXPECT_EQ(shortened("abcdef", 6), "abcdef");
  EXPECT_EQ(shortened("abcdef", 4), "abc…");
  EXPECT_EQ(shortened("äöüß", 4), "äöüß");
  EXPECT_EQ(shortened("äöüß", 3), "äö…");
}

}  // namespace
}  // namespace sparsepush
