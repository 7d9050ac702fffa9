// Matrices as products of low rank ([PowerSGD]), here of each node's own parameters and error memory, without an
// all-reduce. Each node begins with the factors of its last message.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "data/files/input_error.h"
#include "host/recipe/compressors.h"
#include "host/recipe/message_bytes.h"
#include "host/state/nodes.h"
#include "host/state/row_batches.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/random.h"
#include "kernels/messages/low_rank.h"

namespace sparsepush {

inline constexpr Array<float> factor({.name = "factor", .width = factors});

/// Draws element i of the first W of tensor l, the same for all nodes, from the standard normal distribution.
inline float first_factor(std::uint64_t seed, std::size_t l, std::int64_t i) {
  constexpr std::uint64_t kNoNode = 0xffff'ffff;
  return static_cast<float>(random_normal({.seed = seed,
                                           .purpose = Purpose::kCompress,
                                           .node = kNoNode,
                                           .step = l,
                                           .index = static_cast<std::uint64_t>(i)}));
}

inline LowRankPlan low_rank_plan_of(const AlgorithmConfig& algorithm, const RowLayout& layout) {
  return make_low_rank_plan(layout, algorithm.rank);
}

/// Refuses to send everything as it is. Throws InputError.
inline void check_rank(const AlgorithmConfig& algorithm, const RowLayout& layout) {
  if (low_rank_plan_of(algorithm, layout).factors == 0)
    throw InputError(
        "algorithm.rank: factors of rank {} make no tensor smaller; expected a matrix among them with rank * (rows + "
        "columns) < rows * columns",
        algorithm.rank);
}

/// Counts what all shards together need while they compute factors: a matrix a worker, or a block.
inline PlannedArray planned_factors(const LowRankPlan& plan, const RunExtent& run) {
  const std::int64_t nodes = divide_up(run.nodes, run.shards),
                     matrices = nodes * run.replicas * std::ssize(plan.tensors);
  const std::int64_t at_once = std::min<std::int64_t>(matrices, run.cuda ? kMostMatricesAtOnce : run.threads);
  return {"memory for factors", fmt::format("{} at once", run.shards * at_once),
          run.shards * at_once * plan.scratch * std::int64_t{sizeof(float)}};
}

/// A plan with its tensors in backend memory.
template <class Backend>
struct PlacedFactors {
  LowRankPlan plan;
  Buffer<Backend, LowRankTensor> tensors;  ///< [tensors]
  Buffer<Backend, float> workspace;        ///< [matrices at once, plan.scratch] on a GPU
};

/// Places the plan for so many local nodes.
template <class Backend>
PlacedFactors<Backend> placed(const Backend& backend, LowRankPlan plan, int rows) {
  const std::int64_t matrices = std::is_same_v<Backend, Cuda> ? std::int64_t{rows} * std::ssize(plan.tensors) : 0;
  const auto at_once = static_cast<int>(std::min<std::int64_t>(matrices, kMostMatricesAtOnce));
  Buffer<Backend, LowRankTensor> tensors(backend, plan.tensors);
  Buffer<Backend, float> workspace(backend, at_once, static_cast<int>(plan.scratch));
  return {std::move(plan), std::move(tensors), std::move(workspace)};
}

template <class Backend>
void fill_factors(Nodes<Backend>& n) {
  const LowRankPlan& plan = n.template made<PlacedFactors<Backend>>().plan;
  const std::vector<std::uint64_t> seeds = n.seed.to_host();
  fill_rows(n.backend, n[factor], [&](int row, float* w) {
    const std::uint64_t seed = seeds[n.shard.id_of(row).replica];
    for (std::size_t l = 0; l < plan.tensors.size(); ++l)
      for (std::int64_t i = 0; i < plan.tensors[l].columns * plan.tensors[l].rank; ++i)
        w[plan.tensors[l].factor_begin + i] = first_factor(seed, l, i);
  });
}

template <class Backend>
void compress_to_factors(Nodes<Backend>& n, const Array<float>& v) {
  const auto& placed = n.template made<PlacedFactors<Backend>>();
  low_rank(n.backend, {.v = n[v],
                       .q = n[state::q],
                       .factor = n[factor],
                       .tensors = placed.tensors.span(),
                       .scratch = placed.plan.scratch,
                       .workspace = placed.workspace.view()});
}

inline Compressor low_rank_row() {
  return {.name = "low_rank",
          .messages = {&state::q},
          .state = {&factor},
          .keys = {"rank"},
          .factors = [](const AlgorithmConfig& algorithm,
                        const RowLayout& layout) { return low_rank_plan_of(algorithm, layout).factors; },
          .check = check_rank,
          .bytes =
              [](const AlgorithmConfig& algorithm, const RowLayout& layout) {
                return headed_message_bytes(layout.params, 4 * low_rank_plan_of(algorithm, layout).values);
              },
          .make =
              []<class Backend>(Nodes<Backend>& n, const std::vector<AlgorithmConfig>& replicas) {
                n.keep(placed(n.backend, low_rank_plan_of(replicas.front(), n.layout), n.shard.rows()));
              },
          .memory = [](const AlgorithmConfig& algorithm, const RowLayout& layout,
                       const RunExtent& run) { return planned_factors(low_rank_plan_of(algorithm, layout), run); },
          .start = [](auto& nodes) { fill_factors(nodes); },
          .compress = [](auto& nodes, const Array<float>& v) { compress_to_factors(nodes, v); }};
}

}  // namespace sparsepush
