#include "data/memory_plan.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "data/files/input_error.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kNoLimit = INT64_MAX;

/// A folder with files as in / of some machine.
class AvailableMemory : public testing::Test {
 protected:
  void show(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root_ / path).parent_path());
    write_file(root_ / path, text);
  }
  std::int64_t available(std::int64_t address_space = kNoLimit) const {
    return available_memory_below(root_.path(), address_space);
  }

  TemporaryFolder root_;
};

TEST_F(AvailableMemory, IsUnlimitedWhereNothingIsKnown) { EXPECT_EQ(available(), kNoLimit); }

TEST_F(AvailableMemory, IsWhatTheKernelEstimates) {
  show("proc/meminfo", "MemTotal:       16384 kB\nMemFree:         100 kB\nMemAvailable:   8192 kB\nBuffers: 1 kB\n");
  EXPECT_EQ(available(), 8192 * 1024);
}

TEST_F(AvailableMemory, IsUnlimitedWithoutTheKernelsEstimate) {
  show("proc/meminfo", "MemTotal:       16384 kB\nMemFree: 100 kB");
  EXPECT_EQ(available(), kNoLimit);
}

TEST_F(AvailableMemory, EndsAtTheControlGroupsLimit) {
  show("proc/meminfo", "MemAvailable: 8192 kB\n");
  show("proc/self/cgroup", "0::/jobs/one\n");
  show("sys/fs/cgroup/jobs/one/memory.max", "1000000\n");
  EXPECT_EQ(available(), 1000000);
  show("sys/fs/cgroup/jobs/one/memory.current", "300000\n");
  EXPECT_EQ(available(), 700000);
  show("sys/fs/cgroup/jobs/one/memory.stat", "anon 5\nfile 250000\nactive_file 50000\ninactive_file 200000\n");
  EXPECT_EQ(available(), 900000);
  show("sys/fs/cgroup/jobs/one/memory.current", "3000000\n");
  EXPECT_EQ(available(), 0);
}

TEST_F(AvailableMemory, EndsAtTheLimitOfAnyEnclosingGroup) {
  show("proc/self/cgroup", "0::/jobs/one\n");
  show("sys/fs/cgroup/jobs/one/memory.max", "max\n");
  EXPECT_EQ(available(), kNoLimit);
  show("sys/fs/cgroup/jobs/memory.max", "5000\n");
  EXPECT_EQ(available(), 5000);
  show("sys/fs/cgroup/memory.max", "4000\n");
  EXPECT_EQ(available(), 4000);
}

TEST_F(AvailableMemory, KnowsTheOldControlGroups) {
  show("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/not/visible/here\nbroken\n0::/\n");
  show("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_GT(available(), std::int64_t{1} << 60);
  show("sys/fs/cgroup/memory/memory.limit_in_bytes", "70000\n");
  show("sys/fs/cgroup/memory/memory.usage_in_bytes", "20000\n");
  show("sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 5000\n");
  EXPECT_EQ(available(), 55000);
}

TEST_F(AvailableMemory, EndsAtTheAddressSpaceLimit) {
  const std::int64_t page = sysconf(_SC_PAGESIZE);
  show("proc/self/statm", "10 5 3 1 0 2 0\n");
  EXPECT_EQ(available(100 * page), 90 * page);
  EXPECT_EQ(available(5 * page), 0);
}

TEST(AvailableMemoryHere, IsSomething) { EXPECT_GT(available_memory(), 1'000'000); }

const MemoryPlan kPlan = {{{"u", "[64] f64", 512}, {"x", "[64, 269728] f32", 69'050'368}, {"lr", "[64] f32", 256}}};

TEST(MemoryPlan, TotalsItsArrays) {
  EXPECT_EQ(kPlan.total(), 512 + 69'050'368 + 256);
  EXPECT_EQ(MemoryPlan{}.total(), 0);
}

TEST(MemoryPlan, TotalsThatOverflowAreTheLargestNumber) {
  const MemoryPlan plan = {{{"x", "", INT64_MAX}, {"error", "", INT64_MAX}}};
  EXPECT_EQ(plan.total(), INT64_MAX);
  EXPECT_THROW(check_memory_fits(plan, INT64_MAX - 1), InputError);
}

TEST(MemoryPlan, WhatFitsIsAccepted) {
  EXPECT_NO_THROW(check_memory_fits(kPlan, kPlan.total()));
  EXPECT_THROW(check_memory_fits(kPlan, kPlan.total() - 1), InputError);
}

TEST(MemoryPlan, WhatDoesNotFitIsListedLargestFirst) {
  try {
    check_memory_fits(kPlan, 1'000'000);
    ADD_FAILURE();
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "the run needs 69.1 MB of memory, 1.0 MB are available: x [64, 269728] f32 69.1 MB, u [64] f64 512 B, "
                 "lr [64] f32 256 B");
  }
}

TEST(MemoryPlan, IsDescribedAsATable) {
  EXPECT_EQ(describe_memory(kPlan),
            "u      [64] f64              512 B\n"
            "x      [64, 269728] f32    69.1 MB\n"
            "lr     [64] f32              256 B\n"
            "total                      69.1 MB\n");
}

TEST(MemoryPlan, BytesAreWrittenInPowersOf1000) {
  const std::vector<std::pair<double, std::string>> expected = {
      {0, "0 B"},          {999, "999 B"},        {1000, "1.0 kB"},    {1049, "1.0 kB"},
      {1051, "1.1 kB"},    {999'949, "999.9 kB"}, {999'951, "1.0 MB"}, {1'234'567, "1.2 MB"},
      {2.5e9, "2.5 GB"},   {1e12, "1.0 TB"},      {1e15, "1.0 PB"},    {9.2e18, "9.2 EB"},
      {1e22, "10000.0 EB"}};
  for (const auto& [bytes, text] : expected) EXPECT_EQ(format_bytes(bytes), text);
}

}  // namespace
}  // namespace sparsepush
