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
          .keys = {"scope", "keep", "value_bits"},
          .averaging_rate = [](const AlgorithmConfig& algorithm) { return algorithm.keep; },
          .selection = [](const AlgorithmConfig& algorithm,
                          const RowLayout& layout) { return select_by(algorithm, layout, algorithm.keep); },
          .bytes =
              [](const AlgorithmConfig& algorithm, const RowLayout& layout) {
                const std::int64_t entries = select_by(algorithm, layout, algorithm.keep).entries;
                return sparse_message_bytes(layout.params, entries, algorithm.value_bits);
              },
          .differs_on_wire = true,
          .compress =
              [](auto& nodes, const Array<float>& v) {
                nodes.select(v);
                nodes.round_entries(v);
              },
          .update_and_compress =
              [](auto& nodes) {
                nodes.update_and_select();
                nodes.round_entries(state::error);
              }};
}

/// Keeps everything: the selection of all entries, counted as the rows that it is.
inline Compressor identity_row() {
  return {.name = "identity",
          .messages = {&state::position, &state::value},
          .averaging_rate = [](const AlgorithmConfig&) { return 1.0; },
          .selection = [](const AlgorithmConfig& algorithm,
                          const RowLayout& layout) { return select_by(algorithm, layout, 1.0); },
          .can_be_unbiased = true,
          .bytes = [](const AlgorithmConfig&,
                      const RowLayout& layout) { return plain_message_bytes(layout.params, 4 * layout.params + 4); },
          .compress = [](auto& nodes, const Array<float>& v) { nodes.select(v); },
          .update_and_compress = [](auto& nodes) { nodes.update_and_select(); }};
}

}  // namespace sparsepush
