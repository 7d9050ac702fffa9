// Means over replicas, and how sure they are.
#pragma once
#include <optional>
#include <vector>

namespace sparsepush {

struct Statistic {
  int n = 0;                        ///< values that are there
  std::optional<double> mean = {};  ///< none if a value is missing, or there is none
  std::optional<double> sd = {};    ///< with n - 1; none for n = 1
};

/// Computes mean and deviation of the values.
Statistic statistic_of(const std::vector<std::optional<double>>& values);

/// Computes t(0.975, degrees) of Student's distribution: half the width of a mean's 95 % interval, in sd / sqrt(n).
double student_t(int degrees);

/// Computes half the width of the 95 % interval of the mean; none for n = 1.
std::optional<double> interval_of(const Statistic& statistic);

}  // namespace sparsepush
