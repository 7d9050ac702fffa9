// Charts of single nodes: how far they are spread, and which classes they have.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "host/reports/figure.h"
#include "host/reports/row_panels.h"

namespace sparsepush {

inline constexpr double kMostNodesBytes = 50e6;  // most bytes of all nodes.csv that a report reads

/// Adds what nodes.csv tells as columns `node_q0`, `node_q25`, ... `node_q100`: quantiles of the nodes' accuracies, or
/// of their losses where there is none, as means over replicas. Throws InputError where a file cannot be read.
void add_node_quantiles(ReportRow& row);

/// Draws a small chart a row: smallest to largest node, quartiles, median or mean.
std::vector<Figure> spread_charts(const RowPanel& panel, const std::string& prefix);

/// Draws the samples of each class that nodes have, of at most 64 nodes spread over all. None without partition.csv.
/// Throws InputError where that cannot be read.
std::optional<Figure> class_chart(const RowPanel& panel, const std::string& prefix);

}  // namespace sparsepush
