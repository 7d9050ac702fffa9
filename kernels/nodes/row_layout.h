// How the tensors of one node lie in its row of a state array.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace sparsepush {

/// One tensor of one node, the unit of layer-wise top-k. Tensors begin at 16-byte boundaries of the row.
struct Segment {
  std::int64_t begin = 0;         ///< first element in the row, a multiple of 4
  std::int64_t packed_begin = 0;  ///< the same in a row without padding
  std::int64_t size = 0;          ///< elements, padding not counted
  std::int64_t rows = 0;          ///< of the tensor as a matrix: its first dimension, or all elements
};

/// How much padding lies before the elements of neighbouring segments without padding between them: the unpadded index
/// of a position below `end` is position - before.
struct Padding {
  std::int64_t end = 0;
  std::int64_t before = 0;
};

/// The segments of a row in order. State arrays are [nodes, row]; padding elements are always +0.
struct RowLayout {
  std::vector<Segment> segments;
  std::vector<Padding> paddings;  ///< in order
  std::int64_t row = 0;           ///< elements of a row with padding, a multiple of 4
  std::int64_t params = 0;        ///< elements without padding: d in the papers
};

/// Lays out segments of `sizes` elements, each >= 1. Throws std::invalid_argument if the row would exceed 2^31 - 1
/// elements.
RowLayout make_row_layout(std::span<const std::int64_t> sizes);

/// Copies a padded row to `packed` [params], and back (which leaves the row's padding as it is).
void pack_row(const RowLayout& layout, const float* row, float* packed);
void unpack_row(const RowLayout& layout, const float* packed, float* row);

}  // namespace sparsepush
