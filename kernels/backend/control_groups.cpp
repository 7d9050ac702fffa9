#include "kernels/backend/control_groups.h"

#include <fstream>

namespace sparsepush {
namespace {

/// Adds `group`, a path below `root`, and all groups around it.
void add_groups(const std::filesystem::path& root, const std::filesystem::path& group, int version,
                std::vector<ControlGroup>& groups) {
  std::filesystem::path around = root;
  groups.push_back({around, version});
  for (const auto& name : group.relative_path()) {
    around /= name;
    groups.push_back({around, version});
  }
}

}  // namespace

std::vector<ControlGroup> control_groups(const std::filesystem::path& membership, const std::filesystem::path& mount,
                                         const std::string& controller) {
  std::vector<ControlGroup> groups;
  std::ifstream file(membership);
  for (std::string line; std::getline(file, line);) {  // "0::/group", of version 1 "4:cpu,cpuacct:/group"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (controllers.empty()) {
      for (const char* beside_version_1 : {"", "unified"}) add_groups(mount / beside_version_1, group, 2, groups);
    } else if (("," + controllers + ",").find("," + controller + ",") != std::string::npos) {
      add_groups(mount / controller, group, 1, groups);
      if (controllers != controller) add_groups(mount / controllers, group, 1, groups);
    }
  }
  return groups;
}

}  // namespace sparsepush
