// The encoding of one node's sparse message: what its bytes would be on a network.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sparsepush {

/// A message with unpadded indices.
struct WireMessage {
  double u = 1;                     ///< the sender's push-sum weight
  std::vector<std::int32_t> index;  ///< [entries] increasing, below params
  std::vector<float> value;         ///< [entries]
};

/// Little-endian: u (f64), entries (u32), encoding (u8: 0 LEB128 gaps, 1 bitmap), indices, values (f32 each).
/// Its size is what kernels/wire_size.h computes; the smaller index encoding is taken, gaps if equal.
std::vector<std::byte> encode_message(const WireMessage& message, std::int64_t params);

/// The inverse. Throws InputError on anything that `encode_message` could not have written for this `params`.
WireMessage decode_message(std::span<const std::byte> bytes, std::int64_t params);

/// Bytes of one message by the conventions that papers and public code count with.
struct MessageBytes {
  std::int64_t authors = 0;  ///< 6 K + 3: 4-byte value, 2-byte index
  std::int64_t coo32 = 0;    ///< 8 K + 4: 4-byte value, 4-byte index
  std::int64_t dense = 0;    ///< 4 d + 4: all parameters
};
/// A sparse message of `entries` entries; a dense one costs `.dense` in every convention.
MessageBytes message_bytes(std::int64_t params, std::int64_t entries);

}  // namespace sparsepush
