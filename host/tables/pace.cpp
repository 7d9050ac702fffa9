#include "host/tables/pace.h"

#include <fmt/format.h>

namespace sparsepush {
namespace {

std::string kind_of(const Config& config) {
  return fmt::format("{} {} {} {} {}", config.data.name, config.model.name, fmt::join(config.model.hidden, "-"),
                     config.run.nodes, config.data.batch);
}

}  // namespace

void Pace::note(const Config& config, int replicas, const RunPosition& before, const RunPosition& now, double seconds) {
  Measured& measured = of_kind_[kind_of(config)];
  if (!before.testing) {
    measured.steps += static_cast<double>(now.step - before.step) * replicas;
    measured.step_seconds += seconds;
  } else if (before.step > 0) {  // the first test is of one node where all are equal
    measured.test_seconds += seconds;
    if (!now.testing) measured.tests += replicas;
  }
}

std::optional<double> Pace::seconds(const Config& config, double steps, double tests) const {
  const auto found = of_kind_.find(kind_of(config));
  if (found == of_kind_.end() || found->second.steps <= 0) return std::nullopt;
  const Measured& measured = found->second;
  const double of_test = measured.tests > 0 ? measured.test_seconds / measured.tests : 0;
  return config.run.replicas * (steps * measured.step_seconds / measured.steps + tests * of_test);
}

}  // namespace sparsepush
