// Who sends to whom in the runs of a report.
#pragma once
#include <optional>
#include <string>

#include "host/reports/figure.h"
#include "host/reports/row_panels.h"

namespace sparsepush {

struct TopologyFigure {
  Figure figure = {};      ///< up to 64 nodes their edges, in up to 4 rounds; of more how many edges nodes have
  std::string words = {};  ///< how fast it mixes
};

/// Draws the topology of the first row that has one; none where no row has. Throws InputError where it cannot be made.
std::optional<TopologyFigure> topology_figure(const RowPanel& panel, const std::string& prefix);

}  // namespace sparsepush
