// Rows of a state array pass through host memory some at a time: every copy from or to a GPU waits for it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"

namespace sparsepush {

/// Most bytes of a block, unless a single row is larger.
inline constexpr std::int64_t kRowBlockBytes = 16 << 20;

/// Bytes of the largest block of for_each_row_block.
constexpr std::int64_t row_block_bytes(std::int64_t rows, std::int64_t row_bytes) {
  return row_bytes * std::clamp<std::int64_t>(kRowBlockBytes / std::max<std::int64_t>(1, row_bytes), 1, rows);
}

/// Calls visit(first, block) for blocks of rows in order; block: [count, cols] host memory for rows first, first + 1,
/// ..., as many as kRowBlockBytes hold.
template <class T = float, class Visit>
void for_each_row_block(int rows, int cols, const Visit& visit) {
  const std::int64_t fitting = kRowBlockBytes / static_cast<std::int64_t>(sizeof(T)) / std::max(1, cols);
  const int most = static_cast<int>(std::clamp<std::int64_t>(fitting, 1, std::max(1, rows)));
  std::vector<T> memory(static_cast<std::size_t>(most) * cols);
  for (int first = 0; first < rows; first += most)
    visit(first, MatrixView<T>{memory.data(), std::min(most, rows - first), cols});
}

/// Calls read(first, block) with the contents of blocks of rows in order.
template <class Backend, class T, class Read>
void read_row_blocks(const Backend& backend, MatrixView<T> array, const Read& read) {
  using Value = std::remove_const_t<T>;
  for_each_row_block<Value>(array.rows, array.cols, [&](int first, MatrixView<Value> block) {
    copy(backend, block.data, array.row(first), block.size() * sizeof(Value));
    read(first, MatrixView<const Value>(block));
  });
}

/// Sets blocks of rows to what fill(first, block) makes of zeroed memory.
template <class Backend, class T, class Fill>
void fill_row_blocks(const Backend& backend, MatrixView<T> array, const Fill& fill) {
  for_each_row_block<T>(array.rows, array.cols, [&](int first, MatrixView<T> block) {
    std::fill_n(block.data, block.size(), T());
    fill(first, block);
    copy(backend, array.row(first), block.data, block.size() * sizeof(T));
  });
}

/// Calls read(row, values) for every row of `array` in order; values: [cols] host memory.
template <class Backend, class Read>
void read_rows(const Backend& backend, MatrixView<const float> array, const Read& read) {
  read_row_blocks(backend, array, [&](int first, MatrixView<const float> block) {
    for (int i = 0; i < block.rows; ++i) read(first + i, block.row(i));
  });
}

/// Sets the rows of `array` to what fill(row, values) writes; values: [cols] zeroed host memory.
template <class Backend, class Fill>
void fill_rows(const Backend& backend, MatrixView<float> array, const Fill& fill) {
  fill_row_blocks(backend, array, [&](int first, MatrixView<float> block) {
    for (int i = 0; i < block.rows; ++i) fill(first + i, block.row(i));
  });
}

}  // namespace sparsepush
