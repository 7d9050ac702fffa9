// Counts the bytes that nodes really send.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend.h"
#include "kernels/messages.h"
#include "kernels/row_layout.h"

namespace sparsepush {

/// Arguments of `add_wire_traffic`.
struct WireTraffic {
  const RowLayout& layout;
  ConstMessages messages;                 ///< [slots >= nodes, kept]; the first rows are the local nodes'
  std::span<const std::int64_t> entries;  ///< [nodes] how many entries of each message count
  std::span<const std::int64_t> copies;   ///< [nodes] out-edges of each node
  std::span<std::int64_t> bytes;          ///< [nodes] what each has sent, added to
};

/// bytes[i] += copies[i] * size of node i's message by `wire_sizes`. Backends agree exactly.
void add_wire_traffic(const Cpu& cpu, const WireTraffic& traffic);

/// bytes[i] += copies[i] * message_bytes, for messages of a fixed size. Backends agree exactly.
void add_dense_traffic(const Cpu& cpu, std::span<const std::int64_t> copies, std::int64_t message_bytes,
                       std::span<std::int64_t> bytes);

}  // namespace sparsepush
