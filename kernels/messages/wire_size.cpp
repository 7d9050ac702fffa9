#include "kernels/messages/wire_size.h"

#include <algorithm>

#include "kernels/backend/check.h"
#include "kernels/messages/wire_size_loop.h"

namespace sparsepush {
void check_wire_sizes_shapes(const ConstMessages& messages, std::span<const std::int64_t> entries,
                             std::span<const std::int64_t> size) {
  CHECK(entries.size() == size.size() && messages.position.rows >= std::ssize(size), "entries [", entries.size(),
        "], size [", size.size(), "], positions ", messages.position);
}

void wire_sizes(const Cpu& cpu, const RowLayout& layout, const ConstMessages& messages,
                std::span<const std::int64_t> entries, std::span<std::int64_t> size) {
  check_wire_sizes_shapes(messages, entries, size);
  for_each_wire_size(cpu, layout, messages.position, entries,
                     [&](std::int64_t i, std::int64_t bytes) { size[i] = bytes; });
}

std::int64_t wire_size_bound(std::int64_t params, std::int64_t entries) {
  // A gap of b bytes spans at least 2^(7 (b - 1)) indices, so that few gaps can be long; but the bitmap and the longest
  // gap of all are enough of a bound.
  const std::int64_t gaps = entries * leb128_bytes(static_cast<std::uint32_t>(std::max<std::int64_t>(params, 1) - 1));
  return kWireHeaderBytes + static_cast<std::int64_t>(sizeof(float)) * entries + std::min(gaps, (params + 7) / 8);
}

}  // namespace sparsepush
