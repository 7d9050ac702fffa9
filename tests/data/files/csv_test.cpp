#include "data/files/csv.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sparsepush {
namespace {

using Lines = std::vector<std::vector<std::string>>;

TEST(Csv, WritesWhatRfc4180Says) {
  CsvLine line;
  line.add("plain").add("a,b").add("say \"hi\"").add("two\nlines").add("").add(" ");
  EXPECT_EQ(line.end(), "plain,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",, \n");
}

TEST(Csv, WritesNumbersAndWhatIsNotThere) {
  CsvLine line;
  line.add(1.0 / 3).add(std::int64_t{9'007'199'254'740'993}).add(std::optional<double>()).add(std::optional(2));
  EXPECT_EQ(line.end(), "0.333333333,9007199254740993,,2\n");
}

TEST(Csv, ReadsWhatItWrites) {
  const std::vector<std::string> hard = {"", ",", "\"", "\"\"", "\n", "\r\n", "a\"b,c\nd", " x ", "\xc3\xbc"};
  const std::string text = CsvLine().add_all(hard).end() + CsvLine().add_all({"a", "b"}).end();
  EXPECT_EQ(parse_csv(text), (Lines{hard, {"a", "b"}}));
}

TEST(Csv, ReadsLinesOfOtherPrograms) {
  EXPECT_EQ(parse_csv("a,b\r\n\r\n1,2"), (Lines{{"a", "b"}, {"1", "2"}}));
  EXPECT_EQ(parse_csv("\"\"\n,\n"), (Lines{{""}, {"", ""}}));
  EXPECT_EQ(parse_csv("a,\"never closed\n1"), (Lines{{"a", "never closed\n1"}}));
  EXPECT_TRUE(parse_csv("").empty());
}

}  // namespace
}  // namespace sparsepush
