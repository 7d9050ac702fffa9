// The exact size that sparse messages have on the wire, without encoding them. An encoded message holds, little-endian:
// the push-sum weight (f64), the number of entries (u32), the encoding of the indices (u8), the indices, the values
// (f32 each). Unpadded indices are encoded as LEB128 gaps (0), or as a bitmap of the parameters (1) where that is
// smaller.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/messages/messages.h"
#include "kernels/nodes/cuda_layout.h"
#include "kernels/nodes/row_layout.h"

namespace sparsepush {

/// Bytes before the indices.
inline constexpr std::int64_t kWireHeaderBytes = 13;

/// Bytes of an unsigned LEB128 number below 2^32.
constexpr int leb128_bytes(std::uint32_t value) {
  return 1 + (value >= 1u << 7) + (value >= 1u << 14) + (value >= 1u << 21) + (value >= 1u << 28);
}

/// size[i] = bytes of local node i's message on the wire: header, 4 bytes per value, and the smaller of
/// (a) LEB128 gaps, where the gap of an entry is its unpadded index minus the previous entry's index minus 1 (the first
/// entry: its index), and (b) a bitmap of ceil(params / 8) bytes.
/// messages: [slots >= nodes, entries]; entries: [nodes] how many entries of each message count; size: [nodes]; all in
/// backend memory. Backends agree exactly.
void wire_sizes(const Cpu& cpu, const RowLayout& layout, const ConstMessages& messages,
                std::span<const std::int64_t> entries, std::span<std::int64_t> size);
void wire_sizes(const Cuda& gpu, const CudaLayout& layout, const ConstMessages& messages,
                std::span<const std::int64_t> entries, std::span<std::int64_t> size);

/// The shapes above; throws std::invalid_argument. Called by every backend first.
void check_wire_sizes_shapes(const ConstMessages& messages, std::span<const std::int64_t> entries,
                             std::span<const std::int64_t> size);

/// The largest size that any message of `entries` entries over `params` parameters can have.
std::int64_t wire_size_bound(std::int64_t params, std::int64_t entries);

}  // namespace sparsepush
