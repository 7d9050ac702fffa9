#include "data/table.h"

#include <gtest/gtest.h>

#include "tests/data/error_of.h"

namespace sparsepush {
namespace {

struct Row {
  std::string_view name;
  int value = 0;
};

const std::vector<Row> kTable = {{"a", 1}, {"b", 2}, {"ab", 3}};

TEST(Table, FindsARowByItsWholeName) {
  EXPECT_EQ(row_named(kTable, "k.name", "ab").value, 3);
  EXPECT_EQ(&row_named(kTable, "k.name", "b"), &kTable[1]);
}

TEST(Table, RefusesAnUnknownNameAndListsTheKnownOnes) {
  EXPECT_EQ(error_of([] { row_named(kTable, "k.name", "c"); }), "k.name: expected one of a, b, ab; got \"c\"");
  EXPECT_EQ(error_of([] { row_named(kTable, "k.name", ""); }), "k.name: expected one of a, b, ab; got \"\"");
  EXPECT_EQ(error_of([] { row_named(std::vector<Row>{{"a"}}, "k.name", "A"); }), "k.name: expected a; got \"A\"");
}

TEST(Table, NamesAreInTheOrderOfTheRows) {
  EXPECT_EQ(names_of(kTable), (std::vector<std::string_view>{"a", "b", "ab"}));
}

}  // namespace
}  // namespace sparsepush
