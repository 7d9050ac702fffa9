#include "data/files/mapped_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

TEST(MappedFile, HasTheFirstBytesAlsoOfAFileThatIsClosed) {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  write_file(path, "all of it");
  std::optional<MappedFile> first;
  {
    const OpenFile file(path, O_RDONLY);
    first.emplace(file, 6, path);
  }
  const MappedFile moved = std::move(*first);
  first.reset();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(moved.bytes().data()), moved.bytes().size()), "all of");
}

TEST(MappedFile, NamesWhatCannotBeMapped) {
  const TemporaryFolder folder;
  const std::string path = folder / "";
  const OpenFile file(path, O_RDONLY);
  try {
    const MappedFile mapped(file, 1, path);
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("cannot map " + path + ": ")) << error.what();
  }
}

}  // namespace
}  // namespace sparsepush
