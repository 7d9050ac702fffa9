// Where tests find the files that they read.
#pragma once
#include <filesystem>

namespace sparsepush {

/// Finds the folder of the tests' files: `tests` beside the folder of the running program, as scripts/bundle.sh lays it
/// out for a machine that has no source tree, else that of the source tree.
inline std::filesystem::path test_files() {
  const auto program = std::filesystem::read_symlink("/proc/self/exe");
  const auto packed = program.parent_path().parent_path() / "tests";
  return std::filesystem::exists(packed / "reference/networks.json") ? packed : SPARSEPUSH_TEST_FILES;
}

}  // namespace sparsepush
