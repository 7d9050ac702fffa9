#include "host/tables/launches.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <variant>

#include "host/config/config_fields.h"
#include "host/tables/point_plan.h"

namespace sparsepush {
namespace {

/// Returns what points of a launch have in common, as text.
std::string settings_of_launch(const TablePoint& point, const PointPlan& plan) {
  Config config = point.config, defaults;
  for (const Field& field : config_fields()) {
    if (!field.by_replica) continue;
    std::visit([&](auto* member) { *member = *std::get<decltype(member)>(field.member(defaults)); },
               field.member(config));
  }
  return fmt::format("{}\n{} {} {}", to_toml(config), plan.sgd_steps, plan.final_rounds, plan.epoch_steps);
}

/// Returns whether a point has a launch of its own. Shards meet at every step, and a selection that is verified has to
/// be finite: neither bears a neighbour that diverges.
bool is_alone(const Config& config) { return config.run.shards > 1 || config.run.verify; }

}  // namespace

void number_launches(const std::vector<TablePoint>& points, std::vector<PointPlan>& plans) {
  std::map<std::string, int> numbers;
  int last = 0;
  for (std::size_t p = 0; p < points.size(); ++p) {
    if (is_alone(points[p].config)) {
      plans[p].launch = ++last;
      continue;
    }
    const auto [known, is_new] = numbers.try_emplace(settings_of_launch(points[p], plans[p]), last + 1);
    plans[p].launch = known->second;
    if (is_new) ++last;
  }
}

}  // namespace sparsepush
