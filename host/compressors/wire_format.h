// The encoding of one node's sparse message: what its bytes would be on a network.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/messages/traffic.h"

namespace sparsepush {

/// A message with unpadded indices.
struct WireMessage {
  double u = 1;                     ///< the sender's push-sum weight
  std::vector<std::int32_t> index;  ///< [entries] increasing, below params
  std::vector<float> value;         ///< [entries]
};

/// Little-endian: u (f64), entries (u32), encoding (u8: 0 LEB128 gaps, 1 bitmap), indices, values (f32 each).
/// Its size is what kernels/messages/wire_size.h computes; the smaller index encoding is taken, gaps if equal.
std::vector<std::byte> encode_message(const WireMessage& message, std::int64_t params);

/// The inverse. Throws InputError on anything that `encode_message` could not have written for this `params`.
WireMessage decode_message(std::span<const std::byte> bytes, std::int64_t params);

/// Of a sparse message of `entries` entries; `wire` is the largest that the encoding of one can have.
MessageBytes sparse_message_bytes(std::int64_t params, std::int64_t entries);

/// Of a message that costs `bytes` by every convention.
constexpr MessageBytes plain_message_bytes(std::int64_t params, std::int64_t bytes) {
  return {.authors = bytes, .coo32 = bytes, .wire = bytes, .dense = 4 * params + 4};
}

}  // namespace sparsepush
