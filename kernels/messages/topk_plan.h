// Which parts of a row top-k selects from, and how many entries of each: fixed before the run.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/nodes/row_layout.h"

namespace sparsepush {

enum class TopkScope { kLayer, kGlobal };

/// One selection: the `entries` largest magnitudes among the segments [first_segment, last_segment).
struct TopkGroup {
  int first_segment = 0;
  int last_segment = 0;
  std::int64_t size = 0;           ///< elements to select from
  std::int64_t entries = 0;        ///< elements kept, 1 <= entries <= size
  std::int64_t message_begin = 0;  ///< where they stand in the node's message

  bool operator==(const TopkGroup&) const = default;
};

/// All selections of one node: one per segment (`kLayer`) or a single one (`kGlobal`).
struct TopkPlan {
  std::vector<TopkGroup> groups;
  std::int64_t entries = 0;  ///< of the whole message: K in the papers
  TopkScope scope = TopkScope::kLayer;

  bool operator==(const TopkPlan&) const = default;
};

/// Plans k = max(1, floor(keep * n + 1e-9)) per group, computed in double; 0 < keep <= 1.
TopkPlan make_topk_plan(const RowLayout& layout, TopkScope scope, double keep);

}  // namespace sparsepush
