#include "data/files/same_content.h"

#include <gtest/gtest.h>

#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

TEST(SameContent, ComparesEveryByte) {
  const TemporaryFolder folder;
  for (const std::size_t size : {0, 1, 65'535, 65'536, 65'537, 200'000}) {
    const std::string text(size, 'x');
    write_file(folder / "a", text);
    write_file(folder / "b", text);
    EXPECT_TRUE(have_same_content(folder / "a", folder / "b")) << size;
    for (std::size_t at = 0; at < size; at += size < 10 ? 1 : size - 1) {
      std::string other = text;
      other[at] = 'y';
      write_file(folder / "b", other);
      EXPECT_FALSE(have_same_content(folder / "a", folder / "b")) << size << " at " << at;
    }
    write_file(folder / "b", text + "x");
    EXPECT_FALSE(have_same_content(folder / "a", folder / "b")) << size;
  }
}

TEST(SameContent, IsThatOfFilesThatAreThere) {
  const TemporaryFolder folder;
  write_file(folder / "a", "");
  EXPECT_FALSE(have_same_content(folder / "a", folder / "nowhere"));
  EXPECT_FALSE(have_same_content(folder / "nowhere", folder / "nowhere"));
}

}  // namespace
}  // namespace sparsepush
