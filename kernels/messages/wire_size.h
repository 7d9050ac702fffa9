// The exact size that sparse messages have on the wire, without encoding them. An encoded message holds, little-endian:
// the push-sum weight (f64), the number of entries (u32), the encoding of the indices (u8), the indices, the values
// (f32 each). Unpadded indices are encoded as LEB128 gaps (0), or as a bitmap of the parameters (1) where that is
// smaller; the gap of an entry is its index minus the previous entry's minus 1 (the first entry: its index).
#pragma once
#include <cstdint>

namespace sparsepush {

/// Bytes before the indices.
inline constexpr std::int64_t kWireHeaderBytes = 13;

/// Counts the bytes of an unsigned LEB128 number below 2^32.
constexpr int leb128_bytes(std::uint32_t value) {
  return 1 + (value >= 1u << 7) + (value >= 1u << 14) + (value >= 1u << 21) + (value >= 1u << 28);
}

/// Returns the largest size, in bytes, that any message of `entries` entries over `params` parameters can have.
std::int64_t wire_size_bound(std::int64_t params, std::int64_t entries);

}  // namespace sparsepush
