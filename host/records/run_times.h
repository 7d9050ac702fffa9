// timing.csv: how long a run took.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

namespace sparsepush {

/// A line of timing.csv: the step, and the seconds until then, over all parts of a run that was resumed.
struct RunTime {
  std::int64_t step = 0;
  double seconds = 0;
};

/// Reads every line of timing.csv; none if there is no such file. Throws InputError.
std::vector<RunTime> read_run_times(const std::filesystem::path& folder);

}  // namespace sparsepush
