// The sizes of messages on the Cpu.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/multiversion.h"
#include "kernels/backend/view.h"
#include "kernels/messages/wire_size.h"
#include "kernels/nodes/row_layout.h"

namespace sparsepush {

/// Bytes of the gaps of the entries [1, size) of ascending positions without padding between them.
[[gnu::always_inline]] inline std::int64_t gap_bytes(const std::int32_t* position, std::int64_t size) {
  std::int32_t bytes = 0;
  for (std::int64_t i = 1; i < size; ++i) {
    bytes += leb128_bytes(static_cast<std::uint32_t>(position[i]) - static_cast<std::uint32_t>(position[i - 1]) - 1);
  }
  return bytes;
}

/// Bytes of all gaps of a message.
[[gnu::always_inline]] inline std::int64_t gap_bytes(std::span<const Padding> paddings, const std::int32_t* position,
                                                     std::int64_t entries) {
  std::int64_t bytes = 0, previous = -1;
  const std::int32_t* const last = position + entries;
  for (const Padding& padding : paddings) {
    if (position == last) break;
    const std::int32_t* const end = padding.end > last[-1] ? last : std::lower_bound(position, last, padding.end);
    if (position == end) continue;
    bytes += leb128_bytes(static_cast<std::uint32_t>(*position - padding.before - previous - 1));
    bytes += gap_bytes(position, end - position);
    previous = end[-1] - padding.before;
    position = end;
  }
  return bytes;
}

/// Calls visit(i, size) with the size of every message, several at once. entries: [nodes] how many of each count.
template <class Visit>
void for_each_wire_size(const Cpu& cpu, const RowLayout& layout, MatrixView<const std::int32_t> position,
                        std::span<const std::int64_t> entries, const Visit& visit) {
  constexpr std::int64_t kEntriesPerItem = 1 << 14;  // fewer are counted sooner than another thread wakes up
  const auto nodes = static_cast<std::int64_t>(entries.size());
  const std::int64_t bitmap = divide_up(layout.params, 8);
  const std::int64_t nodes_per_item = std::max<std::int64_t>(1, kEntriesPerItem / (position.cols + 1));
  cpu.pool().run(divide_up(nodes, nodes_per_item), [&](std::int64_t item, int) {
    const auto visit_sizes = [&]() __attribute__((always_inline)) {
      for (std::int64_t i = item * nodes_per_item; i < std::min(nodes, (item + 1) * nodes_per_item); ++i) {
        const std::int64_t gaps = gap_bytes(layout.paddings, position.row(i), entries[i]);
        visit(i, kWireHeaderBytes + static_cast<std::int64_t>(sizeof(float)) * entries[i] + std::min(gaps, bitmap));
      }
    };
    run_vectorized(cpu.vector_level(), visit_sizes);
  });
}

}  // namespace sparsepush
