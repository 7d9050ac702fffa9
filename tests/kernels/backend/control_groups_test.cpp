#include "kernels/backend/control_groups.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

/// "version folder" of each, from a membership file with `text`.
std::vector<std::string> groups_of(const std::string& text, const std::string& controller) {
  const TemporaryFolder folder;
  write_file(folder / "membership", text);
  std::vector<std::string> list;
  for (const ControlGroup& group : control_groups(folder / "membership", "/groups", controller))
    list.push_back(std::to_string(group.version) + ' ' + group.folder.lexically_normal().string());
  return list;
}

using Groups = std::vector<std::string>;

TEST(ControlGroups, AreTheProcesssOwnAndAllAroundIt) {
  EXPECT_EQ(groups_of("0::/slice/job\n", "memory"),
            (Groups{"2 /groups/", "2 /groups/slice", "2 /groups/slice/job", "2 /groups/unified",
                    "2 /groups/unified/slice", "2 /groups/unified/slice/job"}));
  EXPECT_EQ(groups_of("0::/\n", "cpu"), (Groups{"2 /groups/", "2 /groups/unified"}));
}

TEST(ControlGroups, OfTheFirstVersionAreThoseOfTheController) {
  const std::string lines = "9:memory:/a\n4:cpu,cpuacct:/b\n3:cpuset:/c\n";
  EXPECT_EQ(groups_of(lines, "memory"), (Groups{"1 /groups/memory", "1 /groups/memory/a"}));
  EXPECT_EQ(groups_of(lines, "cpu"),
            (Groups{"1 /groups/cpu", "1 /groups/cpu/b", "1 /groups/cpu,cpuacct", "1 /groups/cpu,cpuacct/b"}));
  EXPECT_EQ(groups_of(lines, "io"), Groups{});
}

TEST(ControlGroups, OfOtherTextsThereAreNone) {
  EXPECT_EQ(groups_of("what is this\n4:cpu\n", "cpu"), Groups{});
  EXPECT_TRUE(control_groups("/no such file", "/groups", "cpu").empty());
}

}  // namespace
}  // namespace sparsepush
