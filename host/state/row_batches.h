// Rows of a state array pass through host memory some at a time: every copy from or to a GPU waits for it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"

namespace sparsepush {

/// Most bytes of a batch, unless a single row is larger.
inline constexpr std::int64_t kRowBatchBytes = 16 << 20;

/// Returns how many bytes the largest batch of for_each_row_batch has.
constexpr std::int64_t row_batch_bytes(std::int64_t rows, std::int64_t row_bytes) {
  return row_bytes * std::clamp<std::int64_t>(kRowBatchBytes / std::max<std::int64_t>(1, row_bytes), 1, rows);
}

/// Calls visit(first, batch) for batches of rows in order; batch: [count, cols] host memory for rows first, first + 1,
/// ..., as many as kRowBatchBytes hold.
template <class T = float, class Visit>
void for_each_row_batch(int rows, int cols, const Visit& visit) {
  const std::int64_t fitting = kRowBatchBytes / static_cast<std::int64_t>(sizeof(T)) / std::max(1, cols);
  const int most = static_cast<int>(std::clamp<std::int64_t>(fitting, 1, std::max(1, rows)));
  std::vector<T> memory(static_cast<std::size_t>(most) * cols);
  for (int first = 0; first < rows; first += most)
    visit(first, MatrixView<T>{memory.data(), std::min(most, rows - first), cols});
}

/// Calls read(first, batch) with the contents of batches of rows in order.
template <class Backend, class T, class Read>
void read_row_batches(const Backend& backend, MatrixView<T> array, const Read& read) {
  using Value = std::remove_const_t<T>;
  for_each_row_batch<Value>(array.rows, array.cols, [&](int first, MatrixView<Value> batch) {
    copy(backend, batch.data, array.row(first), batch.size() * sizeof(Value));
    read(first, MatrixView<const Value>(batch));
  });
}

/// Sets batches of rows to what fill(first, batch) makes of zeroed memory.
template <class Backend, class T, class Fill>
void fill_row_batches(const Backend& backend, MatrixView<T> array, const Fill& fill) {
  for_each_row_batch<T>(array.rows, array.cols, [&](int first, MatrixView<T> batch) {
    std::fill_n(batch.data, batch.size(), T());
    fill(first, batch);
    copy(backend, array.row(first), batch.data, batch.size() * sizeof(T));
  });
}

/// Calls read(row, values) for every row of `array` in order; values: [cols] host memory.
template <class Backend, class Read>
void read_rows(const Backend& backend, MatrixView<const float> array, const Read& read) {
  read_row_batches(backend, array, [&](int first, MatrixView<const float> batch) {
    for (int i = 0; i < batch.rows; ++i) read(first + i, batch.row(i));
  });
}

/// Sets the rows of `array` to what fill(row, values) writes; values: [cols] zeroed host memory.
template <class Backend, class Fill>
void fill_rows(const Backend& backend, MatrixView<float> array, const Fill& fill) {
  fill_row_batches(backend, array, [&](int first, MatrixView<float> batch) {
    for (int i = 0; i < batch.rows; ++i) fill(first + i, batch.row(i));
  });
}

}  // namespace sparsepush
