#include "host/records/run_times.h"

#include "data/files/input_error.h"
#include "host/records/number_table.h"

namespace sparsepush {
namespace fs = std::filesystem;

std::vector<RunTime> read_run_times(const fs::path& folder) {
  const fs::path path = folder / "timing.csv";
  if (!fs::exists(path)) return {};
  const NumberTable table = read_numbers(path);
  if (table.columns != std::vector<std::string>{"step", "seconds"})
    throw InputError("{}:1: expected the columns step,seconds", path.string());
  std::vector<RunTime> times;
  double before = 0, last = 0;  // seconds of the parts before this one, and so far in this one
  for (const auto& row : table.rows) {
    if (row[1] < last) before += last;  // a part begins at 0
    last = row[1];
    times.push_back({static_cast<std::int64_t>(row[0]), before + last});
  }
  return times;
}

}  // namespace sparsepush
