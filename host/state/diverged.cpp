#include "host/state/diverged.h"

#include <fmt/format.h>

#include <algorithm>

namespace sparsepush {
namespace {

bool selects(const Rows& rows) {
  return rows.compressor && std::ranges::find(rows.compressor->keys, "keep") != rows.compressor->keys.end();
}

}  // namespace

std::string unstable_settings(const Rows& rows, const AlgorithmConfig& algorithm) {
  if (!selects(rows) || rows.method.steps_into || algorithm.averaging_rate <= algorithm.keep) return "";
  return fmt::format("algorithm.averaging_rate = {} is above algorithm.keep = {}", algorithm.averaging_rate,
                     algorithm.keep);
}

std::string likely_remedy(const Rows& rows, const AlgorithmConfig& algorithm) {
  const std::string settings = unstable_settings(rows, algorithm);
  return settings.empty() ? "try a smaller optimizer.lr" : settings + "; try an averaging_rate of at most keep";
}

}  // namespace sparsepush
