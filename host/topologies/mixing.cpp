#include "host/topologies/mixing.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "data/files/input_error.h"
#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

constexpr int kFinestBit = 149;  // the smallest float is 2^-149: a finer grid would not be exact

// S = 24 - ceil(log2 eta): all weights are multiples of 2^-S.
int grid_bits(double eta) {
  int exponent = 0;
  const double mantissa = std::frexp(eta, &exponent);  // in [1/2, 1), so log2 eta is in [exponent - 1, exponent)
  return 24 - (mantissa == 0.5 ? exponent - 1 : exponent);
}

[[noreturn]] void refuse_zero(const Edge& edge, double eta, std::int64_t round) {
  throw InputError(
      "round {}: the weight {} of edge {} -> {} becomes 0 at averaging rate {}: expected at least half of 2^-{}, the "
      "grid of exact weights",
      round, edge.weight, edge.source, edge.target, eta, grid_bits(eta));
}

bool has_equal_reverse(const TopologyRound& topology, const Edge& edge) {
  const auto by_target = [](const Edge& e) { return std::tuple(e.target, e.source); };
  const auto found = std::ranges::lower_bound(topology.edges, std::tuple(edge.source, edge.target), {}, by_target);
  return found != topology.edges.end() && found->source == edge.target && found->target == edge.source &&
         found->weight == edge.weight;
}

}  // namespace

MixingWeights mixing_weights(const TopologyRound& topology, double eta, std::int64_t round) {
  CHECK(eta > 0 && eta <= 1, "eta ", eta);
  const int bits = grid_bits(eta);
  const double largest_sum = std::ldexp(eta, bits);  // at most 2^24
  const auto grid_units = [&](const Edge& edge) { return std::ldexp(eta * edge.weight, bits); };

  std::vector<std::int64_t> column(topology.self_weight.size(), 0);  // in grid units: exact
  for (const Edge& edge : topology.edges) column[edge.source] += std::llrint(grid_units(edge));
  std::vector<bool> round_down(column.size());
  for (std::size_t j = 0; j < column.size(); ++j) round_down[j] = static_cast<double>(column[j]) > largest_sum;

  const auto is_rounded_down = [&](const Edge& edge) {
    return round_down[edge.source] || (round_down[edge.target] && has_equal_reverse(topology, edge));
  };
  MixingWeights weights;
  weights.edge.reserve(topology.edges.size());
  column.assign(column.size(), 0);
  for (const Edge& edge : topology.edges) {
    const double units = is_rounded_down(edge) ? std::floor(grid_units(edge)) : std::rint(grid_units(edge));
    const auto weight = static_cast<float>(std::ldexp(units, -bits));
    if (units == 0 || bits > kFinestBit) refuse_zero(edge, eta, round);
    weights.edge.push_back(weight);
    column[edge.source] += static_cast<std::int64_t>(units);
  }
  for (std::size_t j = 0; j < column.size(); ++j) {
    CHECK(column[j] <= std::int64_t{1} << 24, "round ", round, ": node ", j, " sends more than it has");
    weights.self.push_back(static_cast<float>(std::ldexp(-static_cast<double>(column[j]), -bits)));
  }
  return weights;
}

}  // namespace sparsepush
