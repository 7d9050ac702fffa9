#include "host/records/guards.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "host/state/diverged.h"

namespace sparsepush {
namespace {

constexpr double kLossGrowth = 10;       // no run that learns has a loss so far above that of its start
constexpr double kMostErrorRatio = 100;  // ||E|| / ||X||; stable runs stay below 10, unstable ones grow without bound

std::string of_replica(const Run& run, int replica) {
  return run.replicas().count > 1 ? fmt::format("replica {}: ", replica) : "";
}

}  // namespace

std::vector<std::string> warnings_before(const Experiment& experiment, int run) {
  const Run& of = experiment.runs().at(run);
  std::vector<std::string> warnings = of.config.warnings;
  std::ranges::copy(experiment.task().warnings(of.replicas()), std::back_inserter(warnings));
  const std::string settings = unstable_settings(experiment.recipe(), of.config.algorithm, experiment.layout());
  if (!settings.empty()) warnings.push_back(settings + ": the run may diverge");
  return warnings;
}

std::optional<std::string> GrowthGuard::look_at(const MetricsRow& row) {
  first_loss_.resize(std::max<std::size_t>(first_loss_.size(), row.replica + 1));
  last_loss_.resize(first_loss_.size());
  std::optional<double>& first = first_loss_[row.replica];
  if (!first) first = row.test_loss;
  const std::optional<double> last = std::exchange(last_loss_[row.replica], row.test_loss);
  const bool rises_on = last && first && *last > kLossGrowth * *first && !(row.test_loss && *row.test_loss < *last);
  const bool may_jump = !run_.config.run.start.empty() && !rises_on;
  if (warned_.contains(row.replica)) return std::nullopt;
  std::string what;
  for (const auto& [name, loss] : {std::pair("train loss", row.train_loss), std::pair("test loss", row.test_loss)})
    if (what.empty() && !may_jump && first && *first > 0 && loss && !(*loss <= kLossGrowth * *first))
      what = fmt::format("the {} is {:.4g} after {:.4g} at the start", name, *loss, *first);
  if (what.empty() && row.error_ratio && !(*row.error_ratio <= kMostErrorRatio))
    what = fmt::format("error memory has grown to {:.3g} times the parameters", *row.error_ratio);
  if (what.empty()) return std::nullopt;
  warned_.insert(row.replica);
  return fmt::format("{}step {}: {}, so the run seems to diverge; {}", of_replica(run_, row.replica), row.step, what,
                     likely_remedy(experiment_.recipe(), run_.config.algorithm, experiment_.layout()));
}

}  // namespace sparsepush
