#include "data/files/whole_file.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/data/error_of.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

TEST(WholeFile, HasEveryByte) {
  const TemporaryFolder folder;
  for (const std::string& text : {std::string(), std::string("a\r\n\0\xff\n", 6), std::string(100000, 'x')}) {
    write_file(folder / "file", text);
    EXPECT_EQ(text_of(folder / "file"), text);
    EXPECT_EQ(read_text(folder / "file"), text);
  }
}

TEST(WholeFile, ThatIsNotThereIsNothingOrAnError) {
  const TemporaryFolder folder;
  const std::string path = folder / "nowhere";
  EXPECT_EQ(text_of(path), "");
  EXPECT_EQ(error_of([&] { read_text(path); }), path + ": cannot be read");
}

}  // namespace
}  // namespace sparsepush
