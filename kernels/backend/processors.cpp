#include "kernels/backend/processors.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <thread>

#include "kernels/backend/control_groups.h"
#include "kernels/backend/vector_level.h"

namespace sparsepush {
namespace {

constexpr double kNoQuota = std::numeric_limits<double>::infinity();
constexpr int kMostProcessors = 1 << 16;

int processors_by_affinity() {
  for (int processors = 1024; processors <= kMostProcessors; processors *= 2) {
    cpu_set_t* set = CPU_ALLOC(processors);
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(processors);
    const int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;  // 0: the set is too small
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

/// One number of a file, or nothing but `otherwise` where it has a word or is not there.
double number_in(const std::filesystem::path& path, double otherwise) {
  std::ifstream file(path);
  double number = 0;
  return file >> number ? number : otherwise;
}

double quota_of_version_2(const std::filesystem::path& group) {
  std::ifstream file(group / "cpu.max");  // "150000 100000", or "max 100000"
  double quota = 0, period = 0;
  return file >> quota >> period && period > 0 ? quota / period : kNoQuota;
}

double quota_of_version_1(const std::filesystem::path& group) {
  const double quota = number_in(group / "cpu.cfs_quota_us", -1), period = number_in(group / "cpu.cfs_period_us", 0);
  return quota > 0 && period > 0 ? quota / period : kNoQuota;
}

}  // namespace

double processor_quota(const std::filesystem::path& membership, const std::filesystem::path& groups) {
  double least = kNoQuota;
  for (const ControlGroup& group : control_groups(membership, groups, "cpu"))
    least = std::min(least, group.version == 2 ? quota_of_version_2(group.folder) : quota_of_version_1(group.folder));
  return least;
}

int usable_processors() {
  const double quota = processor_quota("/proc/self/cgroup", "/sys/fs/cgroup");
  const int allowed = processors_by_affinity();
  return quota < allowed ? std::max(1, static_cast<int>(std::ceil(quota))) : allowed;
}

std::string processor_name() {
  std::string name = "unknown processor";
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (!line.starts_with("model name") || colon == std::string::npos) continue;
    name = line.substr(colon + 2);
    break;
  }
  return name.append(" (").append(name_of(best_vector_level())).append(")");
}

}  // namespace sparsepush
