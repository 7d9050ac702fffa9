// Where the nodes of a topology stand in pictures.
#pragma once
#include <vector>

namespace sparsepush {

struct Point {
  double x = 0, y = 0;
};

struct Layout {
  std::vector<Point> at;         ///< [nodes]; y downwards
  double spacing = 1;            ///< of nodes that are next to each other
  bool bends_far_edges = false;  ///< those much longer than `spacing`, which would run over nodes between
};

/// Places nodes on a circle, the first one on top, going right.
Layout circle_layout(int nodes);

}  // namespace sparsepush
