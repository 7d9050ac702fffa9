// Rounds whose memory traffic is counted: layouts, edges, messages, and what floors are formulas of.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/messages/topk_plan.h"
#include "kernels/nodes/sgd_update.h"
#include "tests/kernels/mixing/mixing_round.h"
#include "tests/kernels/model_layouts.h"
#include "tests/random_values.h"
#include "tests/simt/gossip_floors.h"

namespace sparsepush {

/// Layouts by name: mlp has 1,210 parameters; resnet one tensor of each size that ResNet-20 has, and of the small ones
/// two; large one tensor, of whose entries there are more than a block finds again in its cache.
inline RowLayout counted_layout(std::string_view name) {
  if (name == "mlp") return make_row_layout(mlp_sizes());
  if (name == "large") return make_row_layout(std::vector<std::int64_t>{250'000});
  return make_row_layout(
      std::vector<std::int64_t>{432, 2304, 2304, 4608, 9216, 9216, 18432, 36864, 16, 16, 32, 32, 64, 64, 640, 10});
}

/// Every node hears the `degree` next ones.
inline Round ring_round(int nodes, int degree) {
  Round round;
  for (int node = 0; node < nodes; ++node) {
    std::vector<std::int32_t> sources;
    for (int k = 1; k <= degree; ++k) sources.push_back((node + k) % nodes);
    std::ranges::sort(sources);
    round.slot.insert(round.slot.end(), sources.begin(), sources.end());
    round.weight.insert(round.weight.end(), degree, 0.125f);
    round.begin.push_back(static_cast<std::int64_t>(round.slot.size()));
    round.self_weight.push_back(-0.125f * static_cast<float>(degree));
  }
  return round;
}

/// Positions of each node's message.
using Positions = std::vector<std::vector<std::int32_t>>;

/// Random ones, as many of each group as the plan says.
inline Positions random_positions(const RowLayout& layout, const TopkPlan& plan, int nodes) {
  std::mt19937 generator(7);
  Positions positions(nodes);
  for (auto& own : positions)
    for (const TopkGroup& group : plan.groups) {
      const Segment& segment = layout.segments[group.first_segment];
      std::vector<std::int32_t> all(segment.size);
      std::iota(all.begin(), all.end(), static_cast<std::int32_t>(segment.begin));
      std::ranges::sample(all, std::back_inserter(own), group.entries, generator);
    }
  return positions;
}

/// What each node hears: its own and its in-neighbours'.
inline Positions heard_positions(const Positions& positions, const Round& round) {
  Positions heard = positions;
  for (std::size_t node = 0; node < heard.size(); ++node)
    for (std::int64_t e = round.begin[node]; e < round.begin[node + 1]; ++e)
      heard[node].insert(heard[node].end(), positions[round.slot[e]].begin(), positions[round.slot[e]].end());
  return heard;
}

/// Bytes of the sectors that [begin, begin + elements) of a float array lies in.
inline double sector_bytes(std::int64_t begin, std::int64_t elements) {
  constexpr std::int64_t kFloats = simt::kSectorBytes / sizeof(float);
  return static_cast<double>(simt::kSectorBytes) *
         static_cast<double>((begin + elements + kFloats - 1) / kFloats - begin / kFloats);
}

/// Bytes of the sectors of [nodes, row] that positions in [first, last) lie in.
inline double touched_bytes(const Positions& positions, std::int64_t row, std::int64_t first, std::int64_t last) {
  double bytes = 0;
  for (std::size_t node = 0; node < positions.size(); ++node) {
    std::set<std::int64_t> sectors;
    for (const std::int32_t p : positions[node])
      if (p >= first && p < last) sectors.insert((static_cast<std::int64_t>(node) * row + p) / 8);
    bytes += static_cast<double>(simt::kSectorBytes * sectors.size());
  }
  return bytes;
}
inline double touched_bytes(const Positions& positions, const RowLayout& layout) {
  return touched_bytes(positions, layout.row, 0, layout.row);
}

/// Random arrays of a step.
class CountedStep {
 public:
  CountedStep(const Cuda& gpu, const RowLayout& layout, int nodes)
      : x_(random_rows(gpu, layout, nodes, 1)),
        momentum_(random_rows(gpu, layout, nodes, 2)),
        gradient_(random_rows(gpu, layout, nodes, 3)),
        u_(gpu, std::vector<double>(nodes, 1.25)),
        settings_(gpu, std::vector<SgdSettings>{{.lr = 0.01f, .momentum = 0.9f, .weight_decay = 1e-4f}}),
        diverged_(gpu, 1, nodes) {}

  /// Returns [nodes, row] normal values, in padding too.
  static Buffer<Cuda, float> random_rows(const Cuda& gpu, const RowLayout& layout, int nodes, unsigned seed) {
    std::mt19937 generator(seed);
    return {gpu, nodes, static_cast<int>(layout.row), random_values(nodes * layout.row, generator)};
  }
  SgdUpdate update() const {
    return {.x = x_.view(),
            .momentum = momentum_.view(),
            .gradient = gradient_.view(),
            .u = u_.span(),
            .settings = settings_.span(),
            .diverged = diverged_.span()};
  }

 private:
  Buffer<Cuda, float> x_, momentum_, gradient_;
  Buffer<Cuda, double> u_;
  Buffer<Cuda, SgdSettings> settings_;
  Buffer<Cuda, std::uint8_t> diverged_;
};

inline RoundSize size_of(int nodes, const RowLayout& layout) {
  return {.nodes = static_cast<double>(nodes), .row = static_cast<double>(layout.row)};
}

inline std::string name_of(std::string_view layout, int degree) {
  return std::string(layout) + ", degree " + std::to_string(degree);
}
inline std::string with_keep(const std::string& round, double keep) {
  return round + (keep == 0.01 ? ", keep 0.01" : ", keep 0.1");
}

}  // namespace sparsepush
