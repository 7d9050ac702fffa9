#include "host/tables/provenance.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "data/files/quotes.h"
#include "host/tables/cells.h"

namespace sparsepush {
namespace {

std::string replicas_line(const TableFile& file, const Results& results) {
  std::vector<std::size_t> counts;
  for (const RowResult& row : results.rows()) counts.push_back(row.replicas.size());
  const auto [least, most] = std::ranges::minmax(counts);
  std::string line = least == most ? fmt::format("n = {}", most) : fmt::format("n = {} to {}", least, most);
  if (most == 1) return line + ": one run, without deviation.";
  if (file.settings.spread == Spread::kNone) return line + ": means over replicas.";
  return line + (file.settings.spread == Spread::kSd
                     ? ": means over replicas ± one standard deviation (with n - 1)."
                     : ": means over replicas ± half of their 95 % interval (Student's t).");
}

bool hides_deviations(const TableSettings& settings) {
  return settings.spread != Spread::kNone && std::ranges::any_of(settings.columns, may_hide_deviation);
}

/// Says "0.1.0" where all points say the same, else "different ones, 0.1.0 (3 of the points); 0.2.0 (1 of the points)".
std::string said_by(const std::vector<PointState>& states, std::string PointState::*what) {
  std::map<std::string, int> counts;
  for (const PointState& state : states)
    if (!(state.*what).empty()) ++counts[state.*what];
  if (counts.empty()) return "nothing yet";
  if (counts.size() == 1) return counts.begin()->first;
  std::vector<std::string> parts;
  for (const auto& [text, count] : counts) parts.push_back(fmt::format("{} ({} of the points)", text, count));
  return fmt::format("different ones, {}", fmt::join(parts, "; "));
}

std::string dates_of(const std::vector<PointState>& states) {
  std::vector<std::string> dates;
  for (const PointState& state : states)
    if (!state.date.empty()) dates.push_back(state.date);
  if (dates.empty()) return "no date";
  const auto [first, last] = std::ranges::minmax(dates);
  return first == last ? first : first + " to " + last;
}

std::string training_line(const std::vector<PointState>& states) {
  double seconds = 0;
  for (const PointState& state : states) seconds += state.seconds;
  return fmt::format("Trained by sparsepush {}, on {}, {:.1f} seconds in all, {}.",
                     said_by(states, &PointState::version), said_by(states, &PointState::device), seconds,
                     dates_of(states));
}

/// Names rows that are shown with means though replicas of them seem to have diverged; empty if there are none.
std::string diverging_line(const TableFile& file, const std::vector<PointState>& states, const Results& results) {
  std::vector<std::string> parts;
  for (std::size_t r = 0; r < file.rows.size(); ++r) {
    std::vector<std::uint64_t> seeds;
    for (const ReplicaResult& replica : results.rows()[r].replicas) {
      const std::vector<ReplicaMetrics>& metrics = states[replica.point].metrics;
      if (replica.replica < std::ssize(metrics) && seems_to_diverge(metrics[replica.replica]))
        seeds.push_back(replica.seed);
    }
    if (!seeds.empty())
      parts.push_back(fmt::format("{} (seed{} {})", in_quotes(file.rows[r].name), seeds.size() > 1 ? "s" : "",
                                  fmt::join(seeds, ", ")));
  }
  if (parts.empty()) return "";
  return fmt::format("Note: a loss grew to ten times that of the start, so that the run seems to diverge: {}.",
                     fmt::join(parts, "; "));
}

}  // namespace

std::vector<std::string> notes_of(const TableFile& file, const std::vector<PointState>& states,
                                  const Results& results) {
  const TableSettings& settings = file.settings;
  const std::string reference = settings.reference ? settings.reference->text : "";
  std::vector<std::string> lines;
  for (const Column& column : settings.columns)
    lines.push_back(fmt::format("{}: {}{}.", file.label(column.text, column.text),
                                describe_column(column, settings.reading, reference),
                                is_percent(column) ? ", in percent" : ""));
  lines.push_back(replicas_line(file, results));
  if (hides_deviations(settings)) lines.push_back("Deviations of bytes below 0.05 % of their mean are left out.");
  if (const std::string names = rows_of_several_names(file.rows); !names.empty())
    lines.push_back("Note: " + names + ".");
  if (const std::string diverging = diverging_line(file, states, results); !diverging.empty())
    lines.push_back(diverging);
  const auto is_known = [](const ClaimResult& result) { return result.clear.has_value(); };
  if (std::ranges::any_of(results.claims(), is_known))
    lines.push_back("A verdict is clear where the bound lies outside the 95 % interval of the mean (Student's t).");
  lines.push_back(training_line(states));
  return lines;
}

}  // namespace sparsepush
