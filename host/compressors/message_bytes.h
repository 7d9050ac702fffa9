// What messages count by each convention.
#pragma once
#include <cstdint>

#include "kernels/messages/traffic.h"
#include "kernels/messages/wire_size.h"

namespace sparsepush {

/// Of a sparse message of `entries` entries; `wire` is the largest that the encoding of one can have.
inline MessageBytes sparse_message_bytes(std::int64_t params, std::int64_t entries) {
  return {.authors = 6 * entries + 3,
          .coo32 = 8 * entries + 4,
          .wire = wire_size_bound(params, entries),
          .dense = 4 * params + 4};
}

/// Of a message that costs `bytes` by every convention.
constexpr MessageBytes plain_message_bytes(std::int64_t params, std::int64_t bytes) {
  return {.authors = bytes, .coo32 = bytes, .wire = bytes, .dense = 4 * params + 4};
}

}  // namespace sparsepush
