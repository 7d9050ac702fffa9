// The end of runs that go out of bounds, and settings that lead there.
#pragma once
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "host/recipe/methods.h"

namespace sparsepush {

/// The error of runs that have all diverged. `what()` names step, node, tensor and a remedy, for the first run where
/// there are several side by side.
class Diverged : public std::runtime_error {
 public:
  explicit Diverged(const std::string& reason) : Diverged(std::vector{reason}) {}
  /// Takes the reason of each run, [runs].
  explicit Diverged(std::vector<std::string> reasons)
      : std::runtime_error(reasons.at(0)), reasons_(std::move(reasons)) {}

  const std::vector<std::string>& reasons() const { return reasons_; }

 private:
  std::vector<std::string> reasons_;
};

/// Says which settings are known to be unstable together: error memory (or a public copy) that gives back less than
/// averaging takes of parameters, because a round moves models further than messages of that size can follow. Returns
/// nothing if none are.
std::string unstable_settings(const Recipe& recipe, const AlgorithmConfig& algorithm, const RowLayout& layout);

/// Says what to try after a divergence, by its likely key.
std::string likely_remedy(const Recipe& recipe, const AlgorithmConfig& algorithm, const RowLayout& layout);

}  // namespace sparsepush
