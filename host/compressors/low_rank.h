// Matrices as products of low rank ([PowerSGD]), here of each node's own parameters and error memory, without an
// all-reduce. Each node begins with the factors of its last message.
#pragma once
#include <cstdint>

#include "host/compressors/compressors.h"
#include "host/compressors/message_bytes.h"
#include "host/state/nodes.h"
#include "host/state/row_batches.h"
#include "kernels/backend/random.h"
#include "kernels/messages/low_rank.h"

namespace sparsepush {

inline constexpr Array<float> factor({.name = "factor", .width = factors});

/// The first W of tensor l, the same for all nodes: element i of it is standard normal.
inline float first_factor(std::uint64_t seed, std::size_t l, std::int64_t i) {
  constexpr std::uint64_t kNoNode = 0xffff'ffff;
  return static_cast<float>(random_normal({.seed = seed,
                                           .purpose = Purpose::kCompress,
                                           .node = kNoNode,
                                           .step = l,
                                           .index = static_cast<std::uint64_t>(i)}));
}

template <class Backend>
void fill_factors(Nodes<Backend>& n) {
  const LowRankPlan& plan = n.low_rank_plan;
  const std::vector<std::uint64_t> seeds = n.seed.to_host();
  fill_rows(n.backend, n[factor], [&](int row, float* w) {
    const std::uint64_t seed = seeds[n.shard.id_of(row).replica];
    for (std::size_t l = 0; l < plan.tensors.size(); ++l)
      for (std::int64_t i = 0; i < plan.tensors[l].columns * plan.tensors[l].rank; ++i)
        w[plan.tensors[l].factor_begin + i] = first_factor(seed, l, i);
  });
}

inline Compressor low_rank_row() {
  const auto plan_of = [](const AlgorithmConfig& algorithm, const RowLayout& layout) {
    return make_low_rank_plan(layout, algorithm.rank);
  };
  return {.name = "low_rank",
          .messages = {&state::q},
          .state = {&factor},
          .keys = {"rank"},
          .low_rank = plan_of,
          .bytes =
              [plan_of](const AlgorithmConfig& algorithm, const RowLayout& layout) {
                return headed_message_bytes(layout.params, 4 * plan_of(algorithm, layout).values);
              },
          .start = [](auto& nodes) { fill_factors(nodes); },
          .compress =
              [](auto& nodes, const Array<float>& v) {
                low_rank(nodes.backend, {.v = nodes[v],
                                         .q = nodes[state::q],
                                         .factor = nodes[factor],
                                         .tensors = nodes.low_rank_tensors.span(),
                                         .scratch = nodes.low_rank_plan.scratch});
              }};
}

}  // namespace sparsepush
