// points.csv, replicas.csv, table.csv and claims.csv of a table.
#pragma once
#include <string>

#include "host/tables/results.h"

namespace sparsepush {

/// Returns the header of points.csv.
std::string points_header(const TableFile& file);
/// Returns the line of one point in points.csv, which changes without the others.
std::string point_line(const TableFile& file, const std::vector<PointPlan>& plans,
                       const std::vector<PointState>& states, std::size_t point);
/// Returns the text of replicas.csv, a line a replica.
std::string replicas_csv(const TableFile& file, const std::vector<PointState>& states, const Results& results);
/// Returns the text of table.csv, a line a row.
std::string table_csv(const TableFile& file, const Results& results);
/// Returns the text of claims.csv, a line for each row that a claim is about.
std::string claims_csv(const TableFile& file, const Results& results);

/// Returns "at_most", "at_least" or "near".
std::string word_of(Bound relation);
/// Returns "pass", "fail" or "missing".
std::string word_of(Verdict verdict);

}  // namespace sparsepush
