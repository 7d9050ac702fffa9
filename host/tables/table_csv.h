// points.csv, replicas.csv, table.csv and claims.csv of a table.
#pragma once
#include <string>

#include "host/tables/results.h"

namespace sparsepush {

/// points.csv is made of a header and a line a point: that of one point changes alone.
std::string points_header(const TableFile& file);
std::string point_line(const TableFile& file, const std::vector<PointPlan>& plans,
                       const std::vector<PointState>& states, std::size_t point);
std::string replicas_csv(const TableFile& file, const std::vector<PointState>& states, const Results& results);
std::string table_csv(const TableFile& file, const Results& results);
std::string claims_csv(const TableFile& file, const Results& results);

/// "at_most", "at_least" or "near".
std::string word_of(Bound relation);
/// "pass", "fail" or "missing".
std::string word_of(Verdict verdict);

}  // namespace sparsepush
