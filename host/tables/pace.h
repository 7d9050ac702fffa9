// How long a table will take, from how long its points took so far.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "host/config/config.h"
#include "host/records/run_position.h"

namespace sparsepush {

/// Seconds of a step and of a test of a replica, by what decides about them: data, model, nodes.
class Pace {
 public:
  /// Notes that `replicas` side by side, of runs such as `config`, were at `before` and are at `now`, `seconds` later.
  void note(const Config& config, int replicas, const RunPosition& before, const RunPosition& now, double seconds);

  /// Estimates the seconds of so many steps and tests of a run of `config`; none where no step of its kind was
  /// measured.
  std::optional<double> seconds(const Config& config, double steps, double tests) const;

 private:
  struct Measured {
    double steps = 0, step_seconds = 0, tests = 0, test_seconds = 0;
  };
  std::map<std::string, Measured> of_kind_;
};

}  // namespace sparsepush
