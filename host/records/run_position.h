// How far a run is.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace sparsepush {

/// Tests are counted in models that are put to the whole test set, since the run began or was resumed.
struct RunPosition {
  std::int64_t step = 0, last = 0;  ///< steps done, and all of them
  double tested = 0, left_to_test = 0;
  std::optional<double> testing = {};       ///< share of the test under way that is done, 0 to 1
  std::string among = {};                   ///< among several runs: "3 of 12 points done, 2 running"
  std::optional<double> seconds_left = {};  ///< time left, where it is known better than by the rate so far
};

}  // namespace sparsepush
