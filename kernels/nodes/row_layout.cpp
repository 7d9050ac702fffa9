#include "kernels/nodes/row_layout.h"

#include <algorithm>
#include <limits>

#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"

namespace sparsepush {
namespace {
constexpr std::int64_t kAlignment = 4;  // floats in 16 bytes: what a GPU thread loads at once
}

RowLayout make_row_layout(std::span<const std::int64_t> sizes) {
  RowLayout layout;
  for (const std::int64_t size : sizes) {
    CHECK(size >= 1, "segment of ", size, " elements");
    CHECK(size < std::numeric_limits<std::int32_t>::max() - layout.row - kAlignment, "row of ", layout.row, " + ",
          size);
    layout.segments.push_back({.begin = layout.row, .packed_begin = layout.params, .size = size, .rows = size});
    const std::int64_t padding = layout.row - layout.params;
    if (layout.paddings.empty() || layout.paddings.back().before != padding)
      layout.paddings.push_back({.before = padding});
    layout.paddings.back().end = layout.row + size;
    layout.row += rounded_up(size, kAlignment);
    layout.params += size;
  }
  return layout;
}

void pack_row(const RowLayout& layout, const float* row, float* packed) {
  for (const Segment& s : layout.segments) std::copy_n(row + s.begin, s.size, packed + s.packed_begin);
}

void unpack_row(const RowLayout& layout, const float* packed, float* row) {
  for (const Segment& s : layout.segments) std::copy_n(packed + s.packed_begin, s.size, row + s.begin);
}

}  // namespace sparsepush
