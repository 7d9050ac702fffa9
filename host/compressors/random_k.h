// Entries at positions that are drawn, alike for all nodes of a replica and round ([SAPS-PSGD] has such a shared mask):
// receivers know them from the seed, and no mixing of kept with left-out entries holds consensus up.
#pragma once
#include "host/compressors/top_k.h"
#include "kernels/messages/random_k.h"

namespace sparsepush {

inline Compressor random_k_row() {
  Compressor row = top_k_row();
  row.name = "random_k";
  row.at_random = true;
  row.bytes = [](const AlgorithmConfig& algorithm, const RowLayout& layout) {
    const std::int64_t entries = select_by(algorithm, layout, algorithm.keep).entries;
    return headed_message_bytes(layout.params, entries * algorithm.value_bits / 8);
  };
  row.differs_on_wire = false;
  row.compress = [](auto& nodes, const Array<float>& v) {
    random_k(nodes.backend, nodes.backend_layout, *nodes.random_plans,
             {.v = nodes[v], .messages = nodes.messages(), .draws = nodes.draws()});
    nodes.round_entries(v);
  };
  row.update_and_compress = {};
  return row;
}

}  // namespace sparsepush
