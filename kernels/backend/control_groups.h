// The control groups of Linux that a process is in, by both versions of their interface.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace sparsepush {

/// Where the numbers of one group stand.
struct ControlGroup {
  std::filesystem::path folder;  ///< need not exist: not all can be seen from inside a container
  int version = 2;               ///< of the interface: files have other names in the first
};

/// Lists the groups that limit a process in what `controller` does, such as "memory": its own, which the file
/// `membership` names (as /proc/self/cgroup does), and all around it, below the folder `mount` (as /sys/fs/cgroup).
std::vector<ControlGroup> control_groups(const std::filesystem::path& membership, const std::filesystem::path& mount,
                                         const std::string& controller);

}  // namespace sparsepush
