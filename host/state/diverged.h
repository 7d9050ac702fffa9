// The end of runs that go out of bounds, and settings that lead there.
#pragma once
#include <stdexcept>
#include <string>

#include "host/recipe/methods.h"

namespace sparsepush {

/// `what()` names step, node, tensor and a remedy.
class Diverged : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Says which settings are known to be unstable together: error memory (or a public copy) that gives back less than
/// averaging takes of parameters, because a round moves models further than messages of that size can follow. Empty if
/// none are.
std::string unstable_settings(const Rows& rows, const AlgorithmConfig& algorithm, const RowLayout& layout);

/// Says what to try after a divergence, by its likely key.
std::string likely_remedy(const Rows& rows, const AlgorithmConfig& algorithm, const RowLayout& layout);

}  // namespace sparsepush
