// Exact top-k with error memory, layer by layer or over the whole row.
#pragma once
#include "host/compressors/compressors.h"
#include "host/compressors/message_bytes.h"
#include "host/state/nodes.h"

namespace sparsepush {

inline TopkPlan select_by(const AlgorithmConfig& algorithm, const RowLayout& layout, double keep) {
  return make_topk_plan(layout, algorithm.scope == "global" ? TopkScope::kGlobal : TopkScope::kLayer, keep);
}

inline Compressor top_k_row() {
  return {.name = "top_k",
          .messages = {&state::position, &state::value},
          .keys = {"scope", "keep"},
          .averaging_rate = [](const AlgorithmConfig& algorithm) { return algorithm.keep; },
          .selection = [](const AlgorithmConfig& algorithm,
                          const RowLayout& layout) { return select_by(algorithm, layout, algorithm.keep); },
          .bytes = [](const Extent& e) { return sparse_message_bytes(e.params, e.entries); },
          .differs_on_wire = true,
          .compress = [](auto& nodes, const Array<float>& v) { nodes.select(v); },
          .update_and_compress = [](auto& nodes) { nodes.update_and_select(); }};
}

/// Keeps everything: the selection of all entries, counted as the rows that it is.
inline Compressor identity_row() {
  Compressor row = top_k_row();
  row.name = "identity";
  row.keys = {};
  row.averaging_rate = [](const AlgorithmConfig&) { return 1.0; };
  row.selection = [](const AlgorithmConfig& algorithm, const RowLayout& layout) {
    return select_by(algorithm, layout, 1.0);
  };
  row.bytes = [](const Extent& e) { return plain_message_bytes(e.params, 4 * e.params + 4); };
  row.differs_on_wire = false;
  return row;
}

}  // namespace sparsepush
