// Entries at positions that are drawn, alike for all nodes of a replica and round ([SAPS-PSGD] has such a shared mask):
// receivers know them from the seed, and no mixing of kept with left-out entries holds consensus up.
#pragma once
#include <fmt/format.h>

#include "host/compressors/top_k.h"
#include "kernels/messages/random_k.h"

namespace sparsepush {

template <class Backend>
void take_drawn(Nodes<Backend>& n, const Array<float>& v) {
  random_k(n.backend, n.backend_layout, n.template made<RandomPlans<Backend>>(),
           {.v = n[v], .messages = n.messages(), .draws = n.draws()});
  n.round_entries(v);
}

/// Counts what all shards together need to draw.
inline PlannedArray planned_draws(const TopkPlan& plan, const RowLayout& layout, const RunExtent& run) {
  const auto bytes = run.cuda ? &RandomPlans<Cuda>::bytes : &RandomPlans<Cpu>::bytes;
  return {"positions that are drawn", fmt::format("{} replicas", run.replicas),
          run.shards * bytes(run.replicas, layout, plan)};
}

inline Compressor random_k_row() {
  Compressor row = top_k_row();
  row.name = "random_k";
  row.bytes = [](const AlgorithmConfig& algorithm, const RowLayout& layout) {
    return headed_message_bytes(layout.params, select_kept(algorithm, layout).entries * algorithm.value_bits / 8);
  };
  row.differs_on_wire = false;
  row.make = []<class Backend>(Nodes<Backend>& n, const std::vector<AlgorithmConfig>& replicas) {
    n.keep(RandomPlans<Backend>(n.backend, n.layout, plans_of(select_kept, replicas, n.layout)));
  };
  row.memory = [](const AlgorithmConfig& algorithm, const RowLayout& layout, const RunExtent& run) {
    return planned_draws(select_kept(algorithm, layout), layout, run);
  };
  row.compress = [](auto& nodes, const Array<float>& v) { take_drawn(nodes, v); };
  row.update_and_compress = {};
  return row;
}

}  // namespace sparsepush
