#include "kernels/backend/processors.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cmath>
#include <string>
#include <thread>

#include "kernels/backend/vector_level.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

/// A process in `line` of its membership, with the groups that the test writes.
class Groups {
 public:
  explicit Groups(const std::string& line) { write_file(folder_ / "membership", line + "\n"); }
  void write(const std::string& file, const std::string& text) {
    std::filesystem::create_directories((folder_.path() / "groups" / file).parent_path());
    write_file(folder_ / ("groups/" + file), text + "\n");
  }
  double quota() const { return processor_quota(folder_ / "membership", folder_ / "groups"); }

 private:
  TemporaryFolder folder_;
};

TEST(Processors, TheQuotaIsTheLeastOfAllGroupsAround) {
  Groups groups("0::/slice/job/step");
  EXPECT_TRUE(std::isinf(groups.quota()));
  groups.write("slice/job/step/cpu.max", "max 100000");
  EXPECT_TRUE(std::isinf(groups.quota()));
  groups.write("slice/cpu.max", "350000 100000");
  EXPECT_EQ(groups.quota(), 3.5);
  groups.write("slice/job/cpu.max", "100000 50000");
  EXPECT_EQ(groups.quota(), 2);
  groups.write("slice/other/cpu.max", "1000 100000");
  EXPECT_EQ(groups.quota(), 2);
  groups.write("cpu.max", "25000 50000");
  EXPECT_EQ(groups.quota(), 0.5);
}

TEST(Processors, ReadsTheFirstVersionsGroups) {
  Groups groups("9:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n3:cpuset:/docker/a");
  EXPECT_TRUE(std::isinf(groups.quota()));
  groups.write("cpu,cpuacct/docker/a/cpu.cfs_quota_us", "-1");
  groups.write("cpu,cpuacct/docker/a/cpu.cfs_period_us", "100000");
  EXPECT_TRUE(std::isinf(groups.quota()));
  groups.write("cpu,cpuacct/docker/a/cpu.cfs_quota_us", "150000");
  EXPECT_EQ(groups.quota(), 1.5);
}

TEST(Processors, WithoutGroupsThereIsNoQuota) {
  EXPECT_TRUE(std::isinf(processor_quota("/no such file", "/no such folder")));
  Groups groups("what is this");
  groups.write("cpu.max", "not a number");
  EXPECT_TRUE(std::isinf(groups.quota()));
}

TEST(Processors, FollowTheAffinity) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_GE(usable_processors(), 1);
  EXPECT_LE(usable_processors(), CPU_COUNT(&before));
  int one = 0;
  while (!CPU_ISSET(one, &before)) ++one;
  std::thread([&] {  // affinity is a thread's
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(one, &only);
    ASSERT_EQ(sched_setaffinity(0, sizeof only, &only), 0);
    EXPECT_EQ(usable_processors(), 1);
  })
      .join();
}

TEST(Processors, AreNamedWithTheirWidestVectors) {
  const std::string name = processor_name(), level{name_of(best_vector_level())};
  EXPECT_TRUE(name.ends_with(" (" + level + ")")) << name;
  EXPECT_GT(name.size(), level.size() + 3);
}

}  // namespace
}  // namespace sparsepush
