#include "host/reports/kept_points.h"

#include <algorithm>
#include <cmath>

#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

using Series = std::vector<const std::vector<double>*>;

/// Adds the places of the smallest and the largest number of one series among [begin, end).
void keep_ends(const std::vector<double>& values, std::size_t begin, std::size_t end, std::vector<std::size_t>& kept) {
  std::size_t smallest = end, largest = end;
  for (std::size_t i = begin; i < end; ++i) {
    if (!std::isfinite(values[i])) continue;
    if (smallest == end || values[i] < values[smallest]) smallest = i;
    if (largest == end || values[i] > values[largest]) largest = i;
  }
  if (smallest == end) return;
  kept.push_back(smallest);
  kept.push_back(largest);
}

std::vector<std::size_t> kept_of_parts(const Series& series, std::size_t count, std::size_t always, std::size_t parts) {
  std::vector<std::size_t> kept{0, always, count - 1};
  for (std::size_t part = 0; part < parts; ++part)
    for (const std::vector<double>* values : series)
      keep_ends(*values, count * part / parts, count * (part + 1) / parts, kept);
  std::ranges::sort(kept);
  const auto same = std::ranges::unique(kept);
  kept.erase(same.begin(), same.end());
  return kept;
}

}  // namespace

std::vector<std::size_t> kept_points(const Series& series, std::size_t count, std::size_t always, std::size_t most) {
  CHECK(most >= 2 * series.size() + 3, most, " points for ", series.size(), " series");
  if (count <= most) {
    std::vector<std::size_t> all(count);
    for (std::size_t i = 0; i < count; ++i) all[i] = i;
    return all;
  }
  // Where several series have these places in common, there is room for more parts.
  std::size_t parts = most / 2;
  std::vector<std::size_t> kept = kept_of_parts(series, count, always, parts);
  while (kept.size() > most) {
    parts = std::max<std::size_t>(1, parts * 9 / 10);
    kept = kept_of_parts(series, count, always, parts);
  }
  return kept;
}

}  // namespace sparsepush
