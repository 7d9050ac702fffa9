#include "host/state/nodes_plan.h"

#include <algorithm>

namespace sparsepush {

NodesPlan nodes_plan(const Experiment& experiment, int halo_slots) {
  NodesPlan plan{.recipe = experiment.recipe(),
                 .algorithm = {},
                 .seed = {},
                 .own = own_state(experiment),
                 .halo_slots = halo_slots,
                 .verify = experiment.config().run.verify};
  for (const ReplicaSettings& replica : experiment.replicas()) {
    plan.algorithm.push_back(replica.algorithm);
    plan.seed.push_back(replica.seed);
  }
  return plan;
}

std::int64_t entries_of(const Recipe& recipe, const AlgorithmConfig& algorithm, const RowLayout& layout) {
  return recipe.compressor && recipe.compressor->entries ? recipe.compressor->entries(algorithm, layout) : 0;
}

Extent extent_of(const NodesPlan& plan, const RowLayout& layout, std::int64_t nodes) {
  const std::int64_t replicas = std::ssize(plan.algorithm);
  Extent extent{.rows = replicas * nodes,
                .halo = plan.halo_slots,
                .replicas = replicas,
                .params = layout.params,
                .row = layout.row};
  if (plan.recipe.compressor && plan.recipe.compressor->factors)
    extent.factor = plan.recipe.compressor->factors(plan.algorithm.at(0), layout);
  for (const AlgorithmConfig& algorithm : plan.algorithm)
    extent.entries = std::max(extent.entries, entries_of(plan.recipe, algorithm, layout));
  set_blocks(extent, plan.recipe.method, plan.algorithm.at(0), layout);
  return extent;
}

}  // namespace sparsepush
