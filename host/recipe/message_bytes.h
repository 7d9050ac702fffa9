// What messages count by each convention.
#pragma once
#include <cstdint>

#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/messages/traffic.h"
#include "kernels/messages/wire_size.h"
#include "kernels/nodes/row_layout.h"

namespace sparsepush {

/// Counts the bytes of a sparse message of `entries` entries; `wire` is the largest that the encoding of one can have.
inline MessageBytes sparse_message_bytes(std::int64_t params, std::int64_t entries, int value_bits = 32) {
  const std::int64_t values = entries * value_bits / 8, whole_values = entries * 4;
  return {.authors = values + 2 * entries + 3,
          .coo32 = values + 4 * entries + 4,
          .wire = wire_size_bound(params, entries) - whole_values + values,
          .dense = 4 * params + 4};
}

/// Counts the bytes of a message that costs `bytes` by every convention but the dense one.
constexpr MessageBytes plain_message_bytes(std::int64_t params, std::int64_t bytes) {
  return {.authors = bytes, .coo32 = bytes, .wire = bytes, .dense = 4 * params + 4};
}

/// Counts the bytes of a message with `bytes` beside u, behind the header on the wire, whose encoding says what
/// follows: values of a shared seed (2), levels (3), signs (4) or factors (5); 8 more where values have 16 bits, as
/// with gaps (0) and a bitmap (1).
constexpr MessageBytes headed_message_bytes(std::int64_t params, std::int64_t bytes) {
  return {.authors = 4 + bytes, .coo32 = 4 + bytes, .wire = kWireHeaderBytes + bytes, .dense = 4 * params + 4};
}

/// Counts the bytes of a message that has a scale for each tensor and `bits` bits for each of its elements.
inline MessageBytes quantized_message_bytes(const RowLayout& layout, int bits) {
  std::int64_t bytes = 0;
  for (const Segment& tensor : layout.segments) bytes += 4 + divide_up(tensor.size * bits, 8);
  return headed_message_bytes(layout.params, bytes);
}

}  // namespace sparsepush
