// points.csv, replicas.csv, table.csv and claims.csv of a table.
#pragma once
#include <string>

#include "host/tables/results.h"

namespace sparsepush {

std::string points_csv(const TableFile& file, const std::vector<PointPlan>& plans,
                       const std::vector<PointState>& states);
std::string replicas_csv(const TableFile& file, const std::vector<PointState>& states, const Results& results);
std::string table_csv(const TableFile& file, const Results& results);
std::string claims_csv(const TableFile& file, const Results& results);

/// "at_most", "at_least" or "near".
std::string word_of(Bound relation);
/// "pass", "fail" or "missing".
std::string word_of(Verdict verdict);

}  // namespace sparsepush
