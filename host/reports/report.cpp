#include "host/reports/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>

#include "data/files/input_error.h"
#include "data/files/unsynced_file.h"
#include "data/files/whole_file.h"
#include "host/reports/frontier_chart.h"
#include "host/reports/html_tables.h"
#include "host/reports/html_text.h"
#include "host/reports/node_charts.h"
#include "host/reports/page.h"
#include "host/reports/report_source.h"
#include "host/reports/row_json.h"
#include "host/reports/topology_figure.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

constexpr std::size_t kRowsOfPanel = 40;
constexpr std::size_t kPanelsOfPage = 20, kLinesOfPage = 120;  // lines: of the same chart in all panels
constexpr std::size_t kPointsOfLine = 500;
constexpr std::size_t kPointsOfPage = 6000;  // in these lines together, where there are many

/// Leaves out what stands behind the first `kept`, and says which.
template <class List, class Name>
void limit(List& list, std::size_t kept, const char* what, const Name& name_of, std::vector<std::string>& notes) {
  if (list.size() <= kept) return;
  constexpr std::size_t kNamed = 5;
  std::string names;
  for (std::size_t i = kept; i < std::min(list.size(), kept + kNamed); ++i)
    names += (names.empty() ? "" : "; ") + name_of(list[i]);
  if (list.size() > kept + kNamed) names += "; ...";
  notes.push_back(fmt::format("Charts show the first {} of {} {}; left out are: {}", kept, list.size(), what, names));
  list.resize(kept);
}

/// Counts the panels that a page has room for, the first at least.
std::size_t panels_with_room(const std::vector<RowPanel>& panels) {
  std::size_t kept = 0, lines = 0;
  for (; kept < std::min(panels.size(), kPanelsOfPage); ++kept) {
    lines += std::min(panels[kept].rows.size(), kRowsOfPanel);
    if (kept > 0 && lines > kLinesOfPage) break;
  }
  return kept;
}

double bytes_of_nodes(const std::set<const ReportRow*>& rows) {
  double bytes = 0;
  for (const ReportRow* row : rows)
    for (const ReportRun* run : row->runs) {
      std::error_code error;
      const auto size = fs::file_size(run->folder / "nodes.csv", error);
      if (!error) bytes += static_cast<double>(size);
    }
  return bytes;
}

/// Puts a report together from what was read. `source` must outlive it.
class ReportMaker {
 public:
  explicit ReportMaker(const ReportSource& source) : source_(source), rows_(make_report_rows(source.runs)) {
    page_.notes = source.left_out;
    for (const ReportRun& run : source.runs)
      for (const std::string& what : run.left_out) page_.notes.push_back(run.shown + ": " + what);
    for (std::string& note : page_.notes) note = "Left out: " + note;
    panels_ = make_panels(rows_);
    set_dashes(rows_, panels_);
    page_.summary = fmt::format("{}, {}, {}; sparsepush report", count_words(std::ssize(source.runs), "run"),
                                count_words(std::ssize(rows_), "row"), count_words(std::ssize(panels_), "panel"));
    limit(panels_, panels_with_room(panels_), "panels", std::mem_fn(&RowPanel::title), page_.notes);
    page_.panels.resize(panels_.size());
    for (std::size_t p = 0; p < panels_.size(); ++p) {
      const auto label_of = [](const ReportRow* row) { return row->style.label; };
      limit(panels_[p].rows, kRowsOfPanel, "rows", label_of, page_.panels[p].notes);
      drawn_.insert(panels_[p].rows.begin(), panels_[p].rows.end());
    }
    prepare_rows();
    for (std::size_t p = 0; p < panels_.size(); ++p) draw_panel(p);
    write_around();
  }

  std::string html() const { return page_html(page_); }

  std::vector<const Figure*> figures() const {
    std::vector<const Figure*> figures;
    for (const PagePanel& panel : page_.panels) {
      for (const FigureGroup& group : panel.charts)
        for (const Figure& figure : group.figures) figures.push_back(&figure);
      for (const Figure& figure : panel.spread) figures.push_back(&figure);
    }
    return figures;
  }

  std::size_t rows() const { return rows_.size(); }

 private:
  /// Notes that a row ends with the first of its runs that does, where others go on.
  void note_shorter_runs(const ReportRow& row) {
    const auto by_end = std::ranges::minmax(row.runs, {}, [](const ReportRun* run) { return run->last_step(); });
    if (by_end.min->last_step() < by_end.max->last_step())
      page_.notes.push_back(fmt::format("{} ends at step {}, where {} does, for all of its runs.", row.style.label,
                                        row.step.back(), by_end.min->folder.filename().string()));
  }

  /// Notes that a row's means have replicas in them that learn nothing.
  void note_divergence(const ReportRow& row) {
    std::int64_t count = 0;
    for (const ReportRun* run : row.runs) count += std::ranges::count_if(run->metrics, seems_to_diverge);
    if (count > 0)
      page_.notes.push_back(
          fmt::format("{}: a loss grew to ten times that of the start in {} of {}, so that it seems to diverge.",
                      row.style.label, count, count_words(row.replicas(), "replica")));
  }

  /// Thins every row, and adds what nodes.csv tells of it.
  void prepare_rows() {
    std::size_t lines = 0, longest = 0;
    for (const RowPanel& panel : panels_) lines += panel.rows.size();
    for (const ReportRow* row : drawn_) longest = std::max(longest, row->step.size());
    const std::size_t points = std::min(kPointsOfPage / std::max<std::size_t>(lines, 1), kPointsOfLine);
    for (const ReportRow& row : rows_) note_shorter_runs(row);
    for (const ReportRow& row : rows_) note_divergence(row);
    for (ReportRow& row : rows_) thin(row, points);
    if (longest > points)
      page_.notes.push_back(
          fmt::format("Lines have at most {} points: of neighbouring evaluations those with the smallest and largest "
                      "values of each quantity, and always the first, that of the last SGD step, and the last.",
                      points));
    const double bytes = bytes_of_nodes(drawn_);
    if (bytes > kMostNodesBytes) {
      spread_note_ = fmt::format(
          "Smallest to largest node and mean: nodes.csv of all runs have {:.0f} MB, more than the {:.0f} "
          "MB of which quartiles are made.",
          bytes / 1e6, kMostNodesBytes / 1e6);
      return;
    }
    spread_note_ =
        "From the smallest to the largest node; with nodes.csv quartiles darker, and the median as a line, else the "
        "mean.";
    for (ReportRow& row : rows_) {
      const auto has_nodes = [](const ReportRun* run) { return fs::exists(run->folder / "nodes.csv"); };
      if (!drawn_.contains(&row) || !std::ranges::all_of(row.runs, has_nodes)) continue;
      try {
        add_node_quantiles(row);
      } catch (const InputError& error) {
        page_.notes.push_back("Left out: quartiles of " + row.style.label + ": " + without_folder(row, error.what()));
      }
    }
  }

  /// Replaces folders in a message, which stand there as they were given, by folders as readers see them.
  static std::string without_folder(const ReportRow& row, std::string message) {
    for (const ReportRun* run : row.runs)
      if (const std::size_t at = message.find(run->folder.string()); at != std::string::npos)
        message.replace(at, run->folder.string().size(), run->shown);
    return message;
  }

  void draw_panel(std::size_t p) {
    const RowPanel& panel = panels_[p];
    PagePanel& drawn = page_.panels[p];
    const std::string prefix = panels_.size() > 1 ? fmt::format("{}-", p + 1) : "";
    drawn.title = panel.title;
    drawn.legend = styles_of(panel.rows);
    if (const auto open = std::ranges::find_if(panel.rows, &ReportRow::has_open_epochs); open != panel.rows.end())
      drawn.notes.push_back("Without an axis of epochs: how many steps one has is not known of " +
                            (*open)->style.label);
    drawn.charts = metric_charts(panel, prefix);
    const auto add = [&](std::optional<Figure> figure) {
      if (figure) drawn.charts.push_back({{std::move(*figure)}});
    };
    add(frontier_chart(panel, source_.tables, prefix));
    try_to(drawn, "classes", panel, [&] { add(class_chart(panel, prefix)); });
    try_to(drawn, "topology", panel, [&] {
      if (auto topology = topology_figure(panel, prefix)) {
        topology->figure.note = topology->words + (topology->figure.note.empty() ? "" : " ") + topology->figure.note;
        add(std::move(topology->figure));
      }
    });
    drawn.spread = spread_charts(panel, prefix);
    drawn.spread_note = spread_note_;
  }

  /// Draws a chart; what cannot be read for one leaves the others.
  template <class Draw>
  void try_to(PagePanel& drawn, const char* what, const RowPanel& panel, const Draw& draw_it) {
    try {
      draw_it();
    } catch (const InputError& error) {
      drawn.notes.push_back(fmt::format("Left out: {}: {}", what, without_folder(*panel.rows.front(), error.what())));
    }
  }

  /// Writes the tables above and below the charts, and the numbers of what is drawn.
  void write_around() {
    page_.title = source_.title;
    for (const ReportTable& table : source_.tables) {
      if (!table.rows.rows.empty()) page_.results.push_back({"Table " + table.shown, rows_of_table(table)});
      if (!table.claims.lines.empty()) page_.results.push_back({"Claims of " + table.shown, claims_of_table(table)});
    }
    page_.results.push_back({"Where rows ended", results_table(rows_)});
    if (const std::string settings = settings_table(rows_); !settings.empty())
      page_.settings.push_back({"Keys that differ", settings});
    page_.settings.push_back({"Runs and their configurations", runs_list(rows_)});
    std::vector<const ReportRow*> in_order;
    for (const ReportRow& row : rows_)
      if (drawn_.contains(&row)) in_order.push_back(&row);
    page_.rows_json = rows_json(in_order);
  }

  const ReportSource& source_;
  std::vector<ReportRow> rows_;
  std::vector<RowPanel> panels_;
  std::set<const ReportRow*> drawn_;
  std::string spread_note_;
  ReportPage page_;
};

/// Writes a file unless it has this content, but replaces none that is not ours. Drawings can be made again: they do
/// not wait for the disk.
void write_if_other(const fs::path& path, const std::string& text) {
  std::error_code error;
  if (fs::exists(path, error)) {
    const std::string old = fs::is_regular_file(path, error) ? text_of(path) : "";
    if (old == text) return;
    if (old.find("data-sparsepush=\"") == std::string::npos)
      throw InputError("{} is there and is no report: pass another name", path.string());
  }
  replace_unsynced(path.string(), text);
}

void make_folder(const fs::path& folder) {
  if (folder.empty()) return;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw InputError("cannot use the folder {}: {}", folder.string(), error.message());
}

/// Returns report.html in the first folder that there is.
fs::path default_page(const std::vector<fs::path>& folders) {
  for (const fs::path& folder : folders)
    if (std::error_code error; fs::is_directory(folder, error)) return folder / "report.html";
  throw InputError("{}: no such folder; expected a folder with runs", folders.front().string());
}

void write_figures(const ReportMaker& report, const fs::path& folder) {
  make_folder(folder);
  for (const Figure* figure : report.figures()) write_if_other(folder / (figure->name + ".svg"), svg_file(*figure));
}

}  // namespace

ReportEnd write_report(const ReportFiles& files) {
  const fs::path out = files.out.empty() ? default_page(files.folders) : files.out;
  std::error_code error;
  if (fs::is_directory(out, error)) throw InputError("{} is a folder; expected the name of a file", out.string());
  const ReportSource source = read_report_source(files.folders, out.parent_path().empty() ? "." : out.parent_path());
  if (source.runs.empty()) throw InputError("no run to report: {}", fmt::join(source.left_out, "; "));
  const ReportMaker report(source);
  if (report.rows() == 0) throw InputError("no run to report: no evaluation that all replicas have");
  make_folder(out.parent_path());
  make_folder(files.figures);
  write_if_other(out, report.html());
  if (!files.figures.empty()) write_figures(report, files.figures);
  return {.out = out, .runs = source.runs.size(), .rows = report.rows(), .left_out = source.left_out};
}

void write_table_report(const fs::path& table) {
  const ReportSource source = read_report_source({table}, table);
  const ReportMaker report(source);
  if (report.rows() == 0) return;
  write_if_other(table / "report.html", report.html());
  const fs::path folder = table / "figures";
  std::set<std::string> drawn;
  for (const Figure* figure : report.figures()) drawn.insert(figure->name + ".svg");
  std::error_code error;
  std::vector<fs::path> stale;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
    if (entry.path().extension() == ".svg" && !drawn.contains(entry.path().filename().string()) &&
        text_of(entry.path()).find("data-sparsepush=\"figure\"") != std::string::npos)
      stale.push_back(entry.path());
  for (const fs::path& path : stale) fs::remove(path, error);
  write_figures(report, folder);
}

}  // namespace sparsepush
