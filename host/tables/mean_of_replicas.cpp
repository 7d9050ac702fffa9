#include "host/tables/mean_of_replicas.h"

#include <cmath>
#include <numbers>

namespace sparsepush {
namespace {

/// Computes P(|t| <= x) of Student's distribution with whole degrees of freedom, by a finite sum ([AS] 26.7.3, 26.7.4).
double share_within(double x, int degrees) {
  const double angle = std::atan(x / std::sqrt(degrees));
  const double square = std::cos(angle) * std::cos(angle);
  double term = 1, sum = degrees > 1 ? 1 : 0;
  if (degrees % 2 == 0) {
    for (int k = 2; k < degrees; k += 2) sum += term *= square * (k - 1) / k;
    return std::sin(angle) * sum;
  }
  for (int k = 3; k < degrees; k += 2) sum += term *= square * (k - 1) / k;
  return 2 / std::numbers::pi * (angle + std::sin(angle) * std::cos(angle) * sum);
}

}  // namespace

Statistic statistic_of(const std::vector<std::optional<double>>& values) {
  Statistic result;
  double sum = 0;
  for (const auto& value : values) {
    if (!value) continue;
    ++result.n;
    sum += *value;
  }
  if (result.n == 0 || result.n < std::ssize(values)) return result;
  result.mean = sum / result.n;
  if (result.n == 1) return result;
  double squares = 0;
  for (const auto& value : values) squares += (*value - *result.mean) * (*value - *result.mean);
  result.sd = std::sqrt(squares / (result.n - 1));
  return result;
}

double student_t(int degrees) {
  constexpr double kShare = 0.95, kLargest = 13;  // t(0.975, 1) = 12.706 is the largest
  double low = 0, high = kLargest;
  while (true) {
    const double middle = (low + high) / 2;
    if (middle <= low || middle >= high) return middle;
    (share_within(middle, degrees) < kShare ? low : high) = middle;
  }
}

std::optional<double> interval_of(const Statistic& statistic) {
  if (!statistic.sd) return std::nullopt;
  return student_t(statistic.n - 1) * *statistic.sd / std::sqrt(statistic.n);
}

}  // namespace sparsepush
