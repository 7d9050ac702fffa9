#include "kernels/messages/wire_size.h"

#include <algorithm>

#include "kernels/backend/constexpr_algorithms.h"

namespace sparsepush {

std::int64_t wire_size_bound(std::int64_t params, std::int64_t entries) {
  // A gap of b bytes spans at least 2^(7 (b - 1)) indices, so that few gaps can be long; but the bitmap and the longest
  // gap of all are enough of a bound.
  const std::int64_t gaps = entries * leb128_bytes(static_cast<std::uint32_t>(std::max<std::int64_t>(params, 1) - 1));
  return kWireHeaderBytes + static_cast<std::int64_t>(sizeof(float)) * entries + std::min(gaps, divide_up(params, 8));
}

}  // namespace sparsepush
