#include "host/reports/report_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "host/listing/find_runs.h"
#include "host/tables/table_folder.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

fs::path real_path(const fs::path& path) {
  std::error_code error;
  const fs::path real = fs::weakly_canonical(path, error);
  return error ? path.lexically_normal() : real;
}

/// Returns a path as readers see it, which does not depend on how a folder below `base` is spelt.
std::string shown_path(const fs::path& path, const fs::path& base) {
  const fs::path real = real_path(path), below = real.lexically_relative(real_path(base));
  if (below == ".") return real.filename().string();
  if (!below.empty() && *below.begin() != "..") return below.string();
  fs::path given = path.lexically_normal();
  return (given.has_filename() ? given : given.parent_path()).string();
}

class SourceReader {
 public:
  explicit SourceReader(fs::path base) : base_(std::move(base)) {}

  void add(const fs::path& folder) {
    const std::vector<FoundFolder> all = find_runs({folder});
    if (all.empty()) leave_out(folder, "no such folder, or nothing in it");
    for (const FoundFolder& found : all) {
      if (found.kind == FolderKind::kUnreadable)
        leave_out(found.path, "cannot be read");
      else if (found.kind == FolderKind::kForeign)
        leave_out(found.path, "holds no run and no table");
      else
        add_run(found.path);
    }
  }

  ReportSource take() { return std::move(source_); }

 private:
  void add_run(const fs::path& path) {
    const ReportTable* table = table_of(path);
    const auto* point = table ? table->point("points/" + path.filename().string()) : nullptr;
    if (table && !point) return;  // the table's file does not have the point any more
    try {
      ReportRun run = read_report_run(path);
      run.shown = shown_path(path, base_);
      if (table) {
        run.table = table->shown;
        run.point = point->at("name");
        run.place = {1 + (table - source_.tables.data()), point - table->points.lines.data()};
      }
      source_.runs.push_back(std::move(run));
    } catch (const std::exception& error) {
      leave_out(path, error.what());
    }
  }

  /// Finds the table that the run is a point of, read when its first point is.
  const ReportTable* table_of(const fs::path& run) {
    if (run.parent_path().filename() != "points") return nullptr;
    const fs::path folder = run.parent_path().parent_path();
    if (!is_table_folder(folder)) return nullptr;
    const auto [known, is_new] = tables_.try_emplace(folder, source_.tables.size());
    if (is_new) {
      ReportTable table;
      try {
        table = read_report_table(folder);
      } catch (const std::exception& error) {
        leave_out(folder, error.what());
      }
      table.folder = folder;
      table.shown = shown_path(folder, base_);
      source_.tables.push_back(std::move(table));
    }
    const ReportTable& table = source_.tables[known->second];
    return table.points.header.empty() ? nullptr : &table;
  }

  void leave_out(const fs::path& path, std::string why) {
    const std::string shown = shown_path(path, base_), given = path.string();
    for (std::size_t at = why.find(given); at != std::string::npos && given != shown;
         at = why.find(given, at + shown.size()))
      why.replace(at, given.size(), shown);
    source_.left_out.push_back(why.starts_with(shown) ? why : shown + ": " + why);
  }

  fs::path base_;
  ReportSource source_;
  std::map<fs::path, std::size_t> tables_;
};

std::string title_of(const std::vector<fs::path>& folders) {
  constexpr std::size_t kNamed = 3;
  std::string title;
  for (std::size_t i = 0; i < std::min(folders.size(), kNamed); ++i)
    title += (i == 0 ? "" : ", ") + real_path(folders[i]).filename().string();
  if (folders.size() > kNamed) title += fmt::format(" and {} more", folders.size() - kNamed);
  return title;
}

}  // namespace

ReportSource read_report_source(const std::vector<fs::path>& folders, const fs::path& base) {
  SourceReader reader(base);
  for (const fs::path& folder : folders) reader.add(folder);
  ReportSource source = reader.take();
  source.title = title_of(folders);
  std::ranges::stable_sort(source.runs, {}, &ReportRun::place);
  return source;
}

}  // namespace sparsepush
