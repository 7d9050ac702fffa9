// Which points of a table may be trained side by side, as replicas of one emulator.
#pragma once
#include <vector>

#include "host/tables/points.h"

namespace sparsepush {

struct PointPlan;

/// Most points side by side: each keeps files open.
inline constexpr int kMostPointsAtOnce = 100;

/// Sets the launch of each plan, numbered from 1 in the order of points. Points of one launch are equally long, and
/// differ only in keys in which replicas may differ (Field::by_replica).
void number_launches(const std::vector<TablePoint>& points, std::vector<PointPlan>& plans);

}  // namespace sparsepush
