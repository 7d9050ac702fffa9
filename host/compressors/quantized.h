// Every element of every message, in few bits: stochastic levels [QSGD] or signs [SignSGD].
#pragma once
#include <bit>
#include <cstdint>

#include "host/recipe/compressors.h"
#include "host/recipe/message_bytes.h"
#include "host/state/nodes.h"
#include "kernels/messages/quantize.h"

namespace sparsepush {

/// Counts the bits of one element: its level, 0 to `levels`, and its sign.
constexpr int level_bits(int levels) { return 1 + std::bit_width(static_cast<unsigned>(levels)); }

inline Compressor qsgd_row() {
  return {
      .name = "qsgd",
      .messages = {&state::q},
      .keys = {"levels"},
      .can_be_unbiased = true,
      .bytes = [](const AlgorithmConfig& algorithm,
                  const RowLayout& layout) { return quantized_message_bytes(layout, level_bits(algorithm.levels)); },
      .compress =
          [](auto& nodes, const Array<float>& v) {
            quantize_to_levels(nodes.backend, nodes.backend_layout, {.v = nodes[v], .q = nodes[state::q]},
                               {.levels = nodes.algorithm.levels,
                                .unbiased = nodes.recipe.method.needs.unbiased,
                                .draws = nodes.draws()});
          }};
}

inline Compressor sign_row() {
  return {.name = "sign",
          .messages = {&state::q},
          .most_rate = 0.03,
          .bytes = [](const AlgorithmConfig&, const RowLayout& layout) { return quantized_message_bytes(layout, 1); },
          .compress =
              [](auto& nodes, const Array<float>& v) {
                quantize_to_signs(nodes.backend, nodes.backend_layout, {.v = nodes[v], .q = nodes[state::q]});
              }};
}

}  // namespace sparsepush
