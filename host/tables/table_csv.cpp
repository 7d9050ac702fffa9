#include "host/tables/table_csv.h"

#include "data/files/csv.h"

namespace sparsepush {
namespace {

std::vector<std::string> swept_keys(const TableFile& file) {
  std::vector<std::string> keys;
  for (const SweptKey& key : file.sweep.grid) keys.push_back(key.field->name());
  return keys;
}

/// Leaves out repetitions, of which a row has no values.
template <class List>
List of_rows(const TableFile& file, const List& of_keys) {
  List kept;
  for (std::size_t k = 0; k < file.sweep.grid.size(); ++k)
    if (!is_repetition(*file.sweep.grid[k].field)) kept.push_back(of_keys[k]);
  return kept;
}

std::string folder_of(const PointState& state) { return state.folder.empty() ? "" : "points/" + state.folder; }

}  // namespace

std::string points_header(const TableFile& file) {
  return CsvLine()
      .add_all({"name", "id", "launch", "status", "steps_done", "steps", "seconds", "folder"})
      .add_all(swept_keys(file))
      .end();
}

std::string point_line(const TableFile& file, const std::vector<PointPlan>& plans,
                       const std::vector<PointState>& states, std::size_t p) {
  const TablePoint& point = file.points[p];
  const PointState& state = states[p];
  CsvLine line;
  line.add(point.name).add(point.id).add(plans[p].launch).add(word_of(state.status)).add(state.steps_done);
  line.add(plans[p].sgd_steps + plans[p].final_rounds).add(state.seconds).add(folder_of(state));
  return line.add_all(point.values).end();
}

std::string replicas_csv(const TableFile& file, const std::vector<PointState>& states, const Results& results) {
  CsvLine header;
  header.add("name").add_all(swept_keys(file)).add_all({"replica", "seed", "status", "folder"});
  for (const Column& column : file.settings.columns) header.add(column.text);
  std::string text = header.end();
  for (int r = 0; r < std::ssize(file.rows); ++r) {
    for (const ReplicaResult& replica : results.rows()[r].replicas) {
      const TablePoint& point = file.points[replica.point];
      CsvLine line;
      line.add(point.name).add_all(point.values).add(replica.replica).add(replica.seed);
      line.add(word_of(replica.status)).add(folder_of(states[replica.point]));
      for (const Column& column : file.settings.columns) line.add(results.value(column, r, replica));
      text += line.end();
    }
  }
  return text;
}

std::string table_csv(const TableFile& file, const Results& results) {
  CsvLine header;
  header.add("name").add_all(of_rows(file, swept_keys(file))).add_all({"status", "n"});
  for (const Column& column : file.settings.columns) header.add(column.text).add(column.text + "_sd");
  std::string text = header.end();
  for (std::size_t r = 0; r < file.rows.size(); ++r) {
    const RowResult& row = results.rows()[r];
    CsvLine line;
    line.add(file.rows[r].name).add_all(of_rows(file, file.rows[r].values));
    line.add(word_of(row.status)).add(row.finished);
    for (const Statistic& statistic : row.columns) line.add(statistic.mean).add(statistic.sd);
    text += line.end();
  }
  return text;
}

std::string claims_csv(const TableFile& file, const Results& results) {
  std::string text = CsvLine()
                         .add_all({"claim", "row", "metric", "value", "sd", "n", "relation", "bound", "tolerance",
                                   "judged", "verdict", "clear", "source"})
                         .end();
  for (const ClaimResult& result : results.claims()) {
    const Claim& claim = file.claims[result.claim];
    CsvLine line;
    line.add(claim.name).add(file.rows[result.row].name).add(claim.column.text);
    line.add(result.value.mean).add(result.value.sd).add(result.value.n);
    line.add(word_of(claim.relation)).add(claim.bound).add(claim.tolerance).add(claim.judged ? "true" : "false");
    line.add(word_of(result.verdict)).add(!result.clear ? "" : *result.clear ? "yes" : "no").add(claim.source);
    text += line.end();
  }
  return text;
}

std::string word_of(Bound relation) {
  if (relation == Bound::kNear) return "near";
  return relation == Bound::kAtMost ? "at_most" : "at_least";
}

std::string word_of(Verdict verdict) {
  if (verdict == Verdict::kMissing) return "missing";
  return verdict == Verdict::kPass ? "pass" : "fail";
}

}  // namespace sparsepush
