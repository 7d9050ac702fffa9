#include "host/state/diverged.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/messages/quantize_terms.h"

namespace sparsepush {
namespace {

bool selects(const Recipe& recipe) {
  return recipe.compressor && std::ranges::find(recipe.compressor->keys, "keep") != recipe.compressor->keys.end();
}

/// What is wrong with settings, and what to try.
struct Unstable {
  std::string settings, remedy;
};

Unstable unstable(const Recipe& recipe, const AlgorithmConfig& algorithm, const RowLayout& layout) {
  const double rate = algorithm.averaging_rate;
  if (recipe.method.steps_into) return {};  // updates: no parameters are averaged away
  if (selects(recipe) && rate > algorithm.keep)
    return {fmt::format("algorithm.averaging_rate = {} is above algorithm.keep = {}", rate, algorithm.keep),
            "try an averaging_rate of at most keep"};
  const std::optional<double> most = recipe.compressor ? recipe.compressor->most_rate : std::nullopt;
  if (most && rate > *most)
    return {fmt::format("algorithm.averaging_rate = {} is above {}, with {}", rate, *most, recipe.compressor->name),
            fmt::format("try an averaging_rate of at most {}", *most)};
  if (!recipe.method.needs.unbiased || recipe.compressor->name != "qsgd" || layout.segments.empty()) return {};
  const std::int64_t largest = std::ranges::max(layout.segments, {}, &Segment::size).size;
  const double variance = level_variance(static_cast<double>(largest), algorithm.levels);
  if (variance <= 1) return {};
  return {fmt::format("algorithm.levels = {} gives the largest tensor, of {} elements, a variance of {:.3g} times its "
                      "square, which is above 1",
                      algorithm.levels, largest, variance),
          "try more levels"};
}

}  // namespace

std::string unstable_settings(const Recipe& recipe, const AlgorithmConfig& algorithm, const RowLayout& layout) {
  return unstable(recipe, algorithm, layout).settings;
}

std::string likely_remedy(const Recipe& recipe, const AlgorithmConfig& algorithm, const RowLayout& layout) {
  const Unstable why = unstable(recipe, algorithm, layout);
  return why.settings.empty() ? "try a smaller optimizer.lr" : why.settings + "; " + why.remedy;
}

}  // namespace sparsepush
