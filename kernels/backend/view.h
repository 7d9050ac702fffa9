// Non-owning row-major views; the shape travels with the pointer.
#pragma once
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <type_traits>

namespace sparsepush {

/// Row-major [rows, cols] matrix that somebody else owns, in whichever memory `data` points to.
template <class T>
struct MatrixView {
  T* data = nullptr;
  int rows = 0;
  int cols = 0;

  constexpr T* row(std::int64_t i) const { return data + i * cols; }
  constexpr std::size_t size() const { return static_cast<std::size_t>(rows) * cols; }
  /// Returns the rows [first, first + count).
  constexpr MatrixView rows_from(int first, int count) const { return {row(first), count, cols}; }
  template <class U>
  requires std::is_same_v<U, const T>
  constexpr operator MatrixView<U>() const { return {data, rows, cols}; }
};

template <class T>
std::ostream& operator<<(std::ostream& os, const MatrixView<T>& m) {
  return os << '[' << m.rows << ", " << m.cols << ']';
}

}  // namespace sparsepush
