// How many processors this process may use.
#pragma once
#include <filesystem>
#include <string>

namespace sparsepush {

/// Counts the processors that the process may use, at least 1: those that its affinity allows (taskset, Slurm), and no
/// more than its control group's quota, rounded up (containers, systemd).
int usable_processors();

/// Returns the quota of the control group of a process, in processors, and of those around it; infinite if there is
/// none. `membership` is the process's /proc/PID/cgroup, and `groups` where groups are mounted, of version 2 or 1.
double processor_quota(const std::filesystem::path& membership, const std::filesystem::path& groups);

/// Returns what the machine calls its processors ("unknown processor" if it does not say) and their widest vectors,
/// such as "AMD EPYC 7B13 (AVX2)".
std::string processor_name();

}  // namespace sparsepush
