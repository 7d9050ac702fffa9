#include "host/comparison/compare.h"

#include "data/files/input_error.h"
#include "host/comparison/compare_runs.h"
#include "host/comparison/compare_tables.h"
#include "host/tables/table_folder.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

/// Returns true for the folder of a table, false for that of a run. Throws InputError for any other.
bool is_table(const fs::path& folder) {
  std::error_code error;
  if (is_table_folder(folder)) return true;
  if (fs::is_regular_file(folder / "config.toml", error)) return false;
  throw InputError("{}: expected the folder of a run or a table", folder.string());
}

}  // namespace

std::string compare_folders(const fs::path& a, const fs::path& b) {
  const bool tables = is_table(a);
  if (tables != is_table(b))
    throw InputError("{} is a {}, and {} is a {}", a.string(), tables ? "table" : "run", b.string(),
                     tables ? "run" : "table");
  return tables ? compare_tables(a, b) : compare_runs(a, b);
}

}  // namespace sparsepush
