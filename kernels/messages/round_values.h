// Entries of messages with values of 16 bits.
#pragma once
#include <bit>
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/float_bits.h"
#include "kernels/backend/view.h"
#include "kernels/messages/messages.h"

namespace sparsepush {

/// Rounds to the nearest bfloat16, ties to even; NaN and infinity stay as they are.
constexpr float round_to_bfloat16(float value) {
  if (!is_finite(value)) return value;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff'0000u);
}

/// Arguments of `round_values`.
struct RoundValues {
  MatrixView<float> v;                    ///< [nodes, row]
  Messages messages;                      ///< [slots >= nodes, entries]; the first rows are the local nodes'
  std::span<const std::int64_t> entries;  ///< [slots >= nodes] how many entries of each message count
};

/// Rounds the values of messages. Per entry: v at its position = value - its bfloat16, exactly what is cut off, and
/// value = the bfloat16. Backends agree exactly (NaN payloads aside).
void round_values(const Cpu& cpu, const RoundValues& round);
void round_values(const Cuda& gpu, const RoundValues& round);

/// Checks the shapes above.
void check_round_values_shapes(const RoundValues& round);

}  // namespace sparsepush
