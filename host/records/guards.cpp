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

std::string of_replica(const Experiment& experiment, int replica) {
  return experiment.config().run.replicas > 1 ? fmt::format("replica {}: ", replica) : "";
}

}  // namespace

std::vector<std::string> warnings_before(const Experiment& experiment) {
  std::vector<std::string> warnings = experiment.config().warnings;
  std::ranges::copy(experiment.task().warnings(), std::back_inserter(warnings));
  for (std::size_t r = 0; r < experiment.replicas().size(); ++r) {
    const std::string settings =
        unstable_settings(experiment.rows(), experiment.replicas()[r].algorithm, experiment.layout());
    if (settings.empty()) continue;
    const std::string line = settings + ": the run may diverge";
    if (std::ranges::find(warnings, line) == warnings.end()) warnings.push_back(line);
  }
  return warnings;
}

std::optional<std::string> GrowthGuard::look_at(const MetricsRow& row) {
  first_loss_.resize(std::max<std::size_t>(first_loss_.size(), row.replica + 1));
  last_loss_.resize(first_loss_.size());
  std::optional<double>& first = first_loss_[row.replica];
  if (!first) first = row.test_loss;
  const std::optional<double> last = std::exchange(last_loss_[row.replica], row.test_loss);
  const bool rises_on = last && first && *last > kLossGrowth * *first && !(row.test_loss && *row.test_loss < *last);
  const bool may_jump = !experiment_.config().run.start.empty() && !rises_on;
  if (warned_.contains(row.replica)) return std::nullopt;
  std::string what;
  for (const auto& [name, loss] : {std::pair("train loss", row.train_loss), std::pair("test loss", row.test_loss)})
    if (what.empty() && !may_jump && first && *first > 0 && loss && !(*loss <= kLossGrowth * *first))
      what = fmt::format("the {} is {:.4g} after {:.4g} at the start", name, *loss, *first);
  if (what.empty() && row.error_ratio && !(*row.error_ratio <= kMostErrorRatio))
    what = fmt::format("error memory has grown to {:.3g} times the parameters", *row.error_ratio);
  if (what.empty()) return std::nullopt;
  warned_.insert(row.replica);
  return fmt::format(
      "{}step {}: {}, so the run seems to diverge; {}", of_replica(experiment_, row.replica), row.step, what,
      likely_remedy(experiment_.rows(), experiment_.replicas()[row.replica].algorithm, experiment_.layout()));
}

}  // namespace sparsepush
