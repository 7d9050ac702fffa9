#include "kernels/messages/wire_size.h"

#include <algorithm>
#include <vector>

#include "kernels/backend/check.h"
#include "kernels/backend/multiversion.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kEntriesPerItem = 1 << 14;  // fewer are counted sooner than another thread wakes up

/// Bytes of the gaps of the entries [1, size) of ascending positions, all of one run.
[[gnu::always_inline]] inline std::int64_t gap_bytes(const std::int32_t* position, std::int64_t size) {
  std::int32_t bytes = 0;
  for (std::int64_t i = 1; i < size; ++i) {
    bytes += leb128_bytes(static_cast<std::uint32_t>(position[i]) - static_cast<std::uint32_t>(position[i - 1]) - 1);
  }
  return bytes;
}

[[gnu::always_inline]] inline std::int64_t message_gap_bytes(const std::vector<PackedRun>& runs,
                                                             const std::int32_t* position, std::int64_t entries) {
  std::int64_t bytes = 0, previous = -1;
  const std::int32_t* const last = position + entries;
  for (const PackedRun& run : runs) {
    if (position == last) break;
    const std::int32_t* const end = run.end > last[-1] ? last : std::lower_bound(position, last, run.end);
    if (position == end) continue;
    bytes += leb128_bytes(static_cast<std::uint32_t>(*position - run.padding - previous - 1));
    bytes += gap_bytes(position, end - position);
    previous = end[-1] - run.padding;
    position = end;
  }
  return bytes;
}

}  // namespace

void check_wire_sizes_shapes(const ConstMessages& messages, std::span<const std::int64_t> entries,
                             std::span<const std::int64_t> size) {
  CHECK(entries.size() == size.size() && messages.position.rows >= std::ssize(size), "entries [", entries.size(),
        "], size [", size.size(), "], positions ", messages.position);
}

void wire_sizes(const Cpu& cpu, const RowLayout& layout, const ConstMessages& messages,
                std::span<const std::int64_t> entries, std::span<std::int64_t> size) {
  check_wire_sizes_shapes(messages, entries, size);
  const auto nodes = static_cast<std::int64_t>(size.size());
  const std::vector<PackedRun> runs = packed_runs(layout);
  const std::int64_t bitmap = (layout.params + 7) / 8;
  const std::int64_t nodes_per_item = std::max<std::int64_t>(1, kEntriesPerItem / (messages.position.cols + 1));
  cpu.pool().run((nodes + nodes_per_item - 1) / nodes_per_item, [&](std::int64_t item, int) {
    const auto take_sizes = [&]() __attribute__((always_inline)) {
      for (std::int64_t i = item * nodes_per_item; i < std::min(nodes, (item + 1) * nodes_per_item); ++i) {
        const std::int64_t gaps = message_gap_bytes(runs, messages.position.row(i), entries[i]);
        size[i] = kWireHeaderBytes + static_cast<std::int64_t>(sizeof(float)) * entries[i] + std::min(gaps, bitmap);
      }
    };
    run_vectorized(cpu.vector_level(), take_sizes);
  });
}

std::int64_t wire_size_bound(std::int64_t params, std::int64_t entries) {
  // A gap of b bytes spans at least 2^(7 (b - 1)) indices, so that few gaps can be long; but the bitmap and the longest
  // gap of all are enough of a bound.
  const std::int64_t gaps = entries * leb128_bytes(static_cast<std::uint32_t>(std::max<std::int64_t>(params, 1) - 1));
  return kWireHeaderBytes + static_cast<std::int64_t>(sizeof(float)) * entries + std::min(gaps, (params + 7) / 8);
}

}  // namespace sparsepush
