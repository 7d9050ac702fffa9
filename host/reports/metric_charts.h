// Charts of metrics.csv: what was learned, and how far nodes are apart.
#pragma once
#include <string>
#include <vector>

#include "host/reports/figure.h"
#include "host/reports/row_panels.h"

namespace sparsepush {

/// One chart, over one axis or several: the page shows one of these at a time.
struct FigureGroup {
  std::vector<Figure> figures = {};
};

/// Lists how the lines of these rows look, for a legend.
std::vector<LineStyle> styles_of(const std::vector<const ReportRow*>& rows);

/// Draws accuracies and losses over steps, epochs, bytes and seconds; consensus, push-sum weights and error memory over
/// steps. Charts without numbers are left out. Names begin with `prefix`.
std::vector<FigureGroup> metric_charts(const RowPanel& panel, const std::string& prefix);

}  // namespace sparsepush
