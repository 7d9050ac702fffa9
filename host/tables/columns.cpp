#include "host/tables/columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "data/files/text_lines.h"

namespace sparsepush {
namespace {

constexpr int kFewestRows = 2, kMostRows = 1'000'000;  // K of lastK

/// Reads K of "lastK", if that is what `word` is.
std::optional<int> rows_of_mean(std::string_view word) {
  if (!word.starts_with("last")) return std::nullopt;
  word.remove_prefix(4);
  const std::optional<int> rows = number_of<int>(word);
  return rows && *rows >= kFewestRows && *rows <= kMostRows ? rows : std::nullopt;
}

void set_when(Column& column, std::string_view word, const std::string& where) {
  if (word == "last") return;
  if (word == "trained") {
    column.when = When::kTrained;
  } else if (word == "best") {
    column.when = When::kBest;
  } else if (word == "reach") {
    column.when = When::kReach;
  } else if (word == "full") {
    column.when = When::kFull;
  } else if (const auto rows = rows_of_mean(word)) {
    column.when = When::kMean;
    column.rows = *rows;
  } else {
    throw InputError("{}: {}: expected last, trained, best, lastK with K >= 2, reach or full after \"@\", got {}",
                     where, in_quotes_short(column.text), in_quotes_short(word));
  }
}

void set_relation(Column& column, std::string_view word, const std::string& where) {
  if (word != "gap" && word != "ratio")
    throw InputError("{}: {}: expected gap or ratio after \":\", got {}", where, in_quotes_short(column.text),
                     in_quotes_short(word));
  column.relation = word == "gap" ? Relation::kGap : Relation::kRatio;
}

std::optional<double> number(double value) { return std::isnan(value) ? std::nullopt : std::optional(value); }

/// Finds the row at a step; null if there is none.
const std::vector<double>* row_at(const ReplicaMetrics& replica, std::int64_t step) {
  const auto same = std::ranges::find_if(
      replica.rows, [&](const auto& row) { return row[replica.column("step")] == static_cast<double>(step); });
  return same == replica.rows.end() ? nullptr : &*same;
}

const std::vector<double>* best_row(const ReplicaMetrics& replica) {
  const std::vector<double>* best = nullptr;
  const auto look_for = [&](std::size_t column, double sign) {
    for (const auto& row : replica.rows)
      if (!std::isnan(row[column]) && (!best || sign * row[column] > sign * (*best)[column])) best = &row;
  };
  look_for(replica.column("accuracy_mean"), 1);
  if (!best) look_for(replica.column("test_loss"), -1);
  return best;
}

const std::vector<double>* row_that_reaches(const ReplicaMetrics& replica, const Reading& reading) {
  const std::size_t column = replica.column(reading.reach_of);
  const auto first = std::ranges::find_if(replica.rows, [&](const auto& row) { return row[column] >= *reading.reach; });
  return first == replica.rows.end() ? nullptr : &*first;
}

std::optional<double> mean_of_last(const ReplicaMetrics& replica, std::size_t column, int count,
                                   std::int64_t sgd_steps) {
  std::vector<double> values;
  for (const auto& row : replica.rows)
    if (row[replica.column("step")] <= static_cast<double>(sgd_steps)) values.push_back(row[column]);
  if (std::ssize(values) < count) return std::nullopt;
  double sum = 0;
  for (std::size_t i = values.size() - count; i < values.size(); ++i) sum += values[i];
  return number(sum / count);
}

}  // namespace

Column parse_column(const std::string& text, const std::string& where) {
  Column column{.text = text};
  std::string_view rest = text;
  if (const std::size_t colon = rest.find(':'); colon != std::string_view::npos) {
    set_relation(column, rest.substr(colon + 1), where);
    rest = rest.substr(0, colon);
  }
  const std::size_t at = rest.find('@');
  column.metric = rest.substr(0, at);
  if (at != std::string_view::npos) set_when(column, rest.substr(at + 1), where);
  if (column.metric.empty())
    throw InputError("{}: {}: expected METRIC[@WHEN][:RELATION]", where, in_quotes_short(text));
  if (column.when == When::kFull && !column.metric.starts_with("bytes_"))
    throw InputError("{}: {}: only bytes have @full", where, in_quotes_short(text));
  return column;
}

std::optional<double> value_of(const Column& column, const Reading& reading, const ReplicaMetrics& replica,
                               std::int64_t sgd_steps) {
  const std::optional<std::size_t> metric = replica.find(column.metric);
  if (!metric || replica.rows.empty()) return std::nullopt;
  const auto at = [&](const std::vector<double>* row) { return row ? number((*row)[*metric]) : std::nullopt; };
  const auto trained = [&] { return at(row_at(replica, sgd_steps)); };
  switch (column.when) {
    case When::kLast:
      return at(&replica.rows.back());
    case When::kTrained:
      return trained();
    case When::kBest:
      return at(best_row(replica));
    case When::kReach:
      return at(row_that_reaches(replica, reading));
    case When::kMean:
      return mean_of_last(replica, *metric, column.rows, sgd_steps);
    case When::kFull: {
      const auto sent = trained(), all = at(&replica.rows.back());
      if (!sent || !all) return std::nullopt;
      return *sent * static_cast<double>(reading.full_steps) / static_cast<double>(sgd_steps) + (*all - *sent);
    }
  }
  return std::nullopt;
}

Column of_reference(Column column) {
  // A ratio to a run that merges in the end is one to what it took to train.
  if (column.relation == Relation::kRatio && column.when == When::kLast) column.when = When::kTrained;
  column.relation = Relation::kNone;
  return column;
}

std::optional<double> related(Relation relation, const std::optional<double>& reference,
                              const std::optional<double>& own) {
  if (!reference || !own) return std::nullopt;
  if (relation == Relation::kGap) return *reference - *own;
  if (*own == 0) return std::nullopt;
  return *reference / *own;
}

std::string describe_column(const Column& column, const Reading& reading, const std::string& reference) {
  std::string text = column.metric;
  switch (column.when) {
    case When::kLast:
      text += " at the end, final rounds included";
      break;
    case When::kTrained:
      text += " after the last SGD step, before the final rounds";
      break;
    case When::kBest:
      text += " where the mean accuracy (else the test loss) was best on the test set";
      break;
    case When::kMean:
      text += fmt::format(", mean of the last {} evaluations up to the last SGD step", column.rows);
      break;
    case When::kReach:
      text += fmt::format(" where {} first reached {}", reading.reach_of, *reading.reach);
      break;
    case When::kFull:
      text +=
          fmt::format(" of a run of {} steps, scaled up from this one's, and of its final rounds", reading.full_steps);
      break;
  }
  if (column.relation == Relation::kGap) text = fmt::format("{} less own, {}", reference, text);
  if (column.relation == Relation::kRatio)
    text = fmt::format("{} over own, {}{}", reference, text,
                       column.when == When::kLast ? " (of the reference: before them)" : "");
  return text;
}

}  // namespace sparsepush
