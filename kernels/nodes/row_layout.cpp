#include "kernels/nodes/row_layout.h"

#include <algorithm>
#include <limits>

#include "kernels/backend/check.h"

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
    layout.segments.push_back({.begin = layout.row, .packed_begin = layout.params, .size = size});
    layout.row += (size + kAlignment - 1) / kAlignment * kAlignment;
    layout.params += size;
  }
  return layout;
}

std::vector<PackedRun> packed_runs(const RowLayout& layout) {
  std::vector<PackedRun> runs;
  for (const Segment& segment : layout.segments) {
    const std::int64_t padding = segment.begin - segment.packed_begin;
    if (runs.empty() || runs.back().padding != padding) runs.push_back({.padding = padding});
    runs.back().end = segment.begin + segment.size;
  }
  return runs;
}

void pack_row(const RowLayout& layout, const float* row, float* packed) {
  for (const Segment& s : layout.segments) std::copy_n(row + s.begin, s.size, packed + s.packed_begin);
}

void unpack_row(const RowLayout& layout, const float* packed, float* row) {
  for (const Segment& s : layout.segments) std::copy_n(packed + s.packed_begin, s.size, row + s.begin);
}

}  // namespace sparsepush
