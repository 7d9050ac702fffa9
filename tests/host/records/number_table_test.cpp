#include "host/records/number_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "data/files/input_error.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

/// A header and so many lines "i,square of i".
std::string squares(int lines) {
  std::string text = "i,square\n";
  for (int i = 0; i < lines; ++i) text += std::to_string(i) + ',' + std::to_string(i * i) + '\n';
  return text;
}

TEST(NumberTable, EmptyFieldsAreNaN) {
  const TemporaryFolder folder;
  write_file(folder / "a.csv", "step,loss\n1,\n2,nan\n3,-1.5e-3\n");
  const NumberTable table = read_numbers(folder / "a.csv");
  EXPECT_EQ(table.find("loss"), 1u);
  EXPECT_EQ(table.find("los"), std::nullopt);
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_TRUE(std::isnan(table.rows[0][1]));
  EXPECT_TRUE(std::isnan(table.rows[1][1]));
  EXPECT_EQ(table.rows[2], (std::vector<double>{3, -1.5e-3}));
}

TEST(NumberTable, TheEndIsThatOfTheWholeWhereverBlocksEnd) {
  const TemporaryFolder folder;
  for (const int lines : {0, 1, 2, 5, 700, 5000}) {
    write_file(folder / "a.csv", squares(lines));
    const NumberTable whole = read_numbers(folder / "a.csv");
    for (const std::size_t wanted : {1, 2, 3, 600, 601, 3000}) {
      const NumberTable end = read_last_numbers(folder / "a.csv", wanted);
      EXPECT_EQ(end.columns, whole.columns);
      const std::size_t count = std::min<std::size_t>(wanted, lines);
      EXPECT_EQ(end.rows, std::vector(whole.rows.end() - static_cast<std::ptrdiff_t>(count), whole.rows.end()));
    }
  }
}

TEST(NumberTable, ATornLineIsNoPartOfTheEnd) {
  const TemporaryFolder folder;
  write_file(folder / "a.csv", squares(3) + "3,");
  EXPECT_EQ(read_last_numbers(folder / "a.csv", 1).rows, (std::vector<std::vector<double>>{{2, 4}}));
  write_file(folder / "a.csv", "i,squ");
  EXPECT_TRUE(read_last_numbers(folder / "a.csv", 1).rows.empty());
  write_file(folder / "a.csv", "");
  EXPECT_TRUE(read_last_numbers(folder / "a.csv", 1).rows.empty());
}

TEST(NumberTable, TheEndIsReadAlone) {
  const TemporaryFolder folder;
  write_file(folder / "a.csv", "i,square\nno numbers\n" + squares(5000).substr(9));
  EXPECT_EQ(read_last_numbers(folder / "a.csv", 10).rows.back(), (std::vector<double>{4999, 4999. * 4999}));
  EXPECT_THROW(read_numbers(folder / "a.csv"), InputError);
}

TEST(NumberTable, ErrorsNameFileAndLine) {
  const TemporaryFolder folder;
  write_file(folder / "a.csv", "i,square\n0,0\n1,one\n");
  try {
    read_numbers(folder / "a.csv");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_EQ(error.what(), (folder / "a.csv") + ":3: expected a number, got \"one\"");
  }
  EXPECT_THROW(read_last_numbers(folder / "a.csv", 5), InputError);
  EXPECT_THROW(read_numbers(folder / "nowhere.csv"), InputError);
  EXPECT_THROW(read_last_numbers(folder.path(), 5), InputError);
}

}  // namespace
}  // namespace sparsepush
