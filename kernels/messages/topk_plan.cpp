#include "kernels/messages/topk_plan.h"

#include <algorithm>
#include <cmath>

#include "kernels/backend/check.h"

namespace sparsepush {

TopkPlan make_topk_plan(const RowLayout& layout, TopkScope scope, double keep) {
  CHECK(keep > 0 && keep <= 1, "keep = ", keep);
  TopkPlan plan{.groups = {}, .entries = 0, .scope = scope};
  const auto add_group = [&](int first, int last, std::int64_t size) {
    const auto entries =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(std::floor(keep * static_cast<double>(size) + 1e-9)));
    plan.groups.push_back({.first_segment = first,
                           .last_segment = last,
                           .size = size,
                           .entries = std::min(entries, size),
                           .message_begin = plan.entries});
    plan.entries += plan.groups.back().entries;
  };
  const int segments = static_cast<int>(layout.segments.size());
  if (scope == TopkScope::kGlobal) {
    add_group(0, segments, layout.params);
  } else {
    for (int s = 0; s < segments; ++s) add_group(s, s + 1, layout.segments[s].size);
  }
  return plan;
}

}  // namespace sparsepush
