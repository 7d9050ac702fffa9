// Counts the bytes that nodes really send.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend.h"
#include "kernels/cuda_layout.h"
#include "kernels/messages.h"

namespace sparsepush {

/// Arguments of `add_wire_traffic`, in the memory of `Backend`.
template <class Backend>
struct WireTraffic {
  const LayoutOn<Backend>& layout;
  ConstMessages messages;                 ///< [slots >= nodes, kept]; the first rows are the local nodes'
  std::span<const std::int64_t> entries;  ///< [nodes] how many entries of each message count
  std::span<const std::int64_t> copies;   ///< [nodes] out-edges of each node
  std::span<std::int64_t> bytes;          ///< [nodes] what each has sent, added to
};

/// bytes[i] += copies[i] * size of node i's message by `wire_sizes`. Backends agree exactly.
void add_wire_traffic(const Cpu& cpu, const WireTraffic<Cpu>& traffic);
void add_wire_traffic(const Cuda& gpu, const WireTraffic<Cuda>& traffic);

/// bytes[i] += copies[i] * message_bytes, for messages of a fixed size; copies, bytes: [nodes] in backend memory.
/// Backends agree exactly.
void add_dense_traffic(const Cpu& cpu, std::span<const std::int64_t> copies, std::int64_t message_bytes,
                       std::span<std::int64_t> bytes);
void add_dense_traffic(const Cuda& gpu, std::span<const std::int64_t> copies, std::int64_t message_bytes,
                       std::span<std::int64_t> bytes);

/// The shapes above; throws std::invalid_argument. Called by every backend first.
void check_traffic_shapes(std::span<const std::int64_t> copies, std::span<const std::int64_t> bytes);

}  // namespace sparsepush
