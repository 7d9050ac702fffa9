#include "kernels/layers/matrix_product.h"

#include <cblas.h>

#include <algorithm>

#include "kernels/backend/aligned_floats.h"
#include "kernels/backend/multiversion.h"

namespace sparsepush {
namespace {

template <int kFloats>
struct IndexVectorOf {
  using Type [[gnu::vector_size(4 * kFloats)]] = std::int32_t;
};
template <int kFloats>
using Vector = typename FloatVectorOf<kFloats>::Type;

constexpr std::int64_t kSmallFloats = 1 << 19;  // 2 MiB; measured: beyond it OpenBLAS's blocking begins to pay
constexpr int kTileRows = 8;                    // as many independent sums as hide the latency of an addition
constexpr int kPanelDepth = 256;                // a panel of B stays in the first level of cache

/// Rows of B, as many columns wide as a vector: in place, or in `copy` if they are fewer columns or transposed.
template <int kFloats>
struct Panel {
  const float* data = nullptr;
  std::int64_t row = kFloats;
  alignas(64) float copy[kPanelDepth * kFloats];
};

/// `depth` terms of the sums of some rows of C, as many columns wide as a vector or fewer.
struct Tile {
  int rows = 0, cols = 0, depth = 0;
  const float* a = nullptr;                 ///< first element of A
  std::int64_t a_row_step = 0, a_step = 0;  ///< from row to row of A, from term to term
  float* c = nullptr;
  std::int64_t c_row = 0;  ///< length of a row of C
  bool first = false;      ///< C does not hold sums yet
  float scale = 1;         ///< of the sums when they are written
};

/// to = from[0 .. cols), then zeros.
template <int kFloats>
void load(const float* from, int cols, Vector<kFloats>& to) {
  float whole[kFloats] = {};
  if (cols < kFloats) from = std::copy_n(from, cols, whole) - cols;
  to = *reinterpret_cast<const Vector<kFloats>*>(from);
}

template <int kFloats>
void store(const Vector<kFloats>& from, int cols, float* to) {
  if (cols < kFloats)
    std::copy_n(reinterpret_cast<const float*>(&from), cols, to);
  else
    *reinterpret_cast<Vector<kFloats>*>(to) = from;
}

/// A tile of at most `kRows` rows, its sums in registers. b_row: length of a row of b.
template <int kFloats, int kRows>
void multiply_tile(const Tile& t, const float* b, std::int64_t b_row) {
  using V = Vector<kFloats>;
  const float* a[kRows];
  V sum[kRows];
  for (int r = 0; r < kRows; ++r) {
    sum[r] = V{};
    a[r] = r < t.rows ? t.a + r * t.a_row_step : t.a;  // a row beyond the end computes the first one again
  }
  if (!t.first)
    for (int r = 0; r < kRows; ++r)
      if (r < t.rows) load<kFloats>(t.c + r * t.c_row, t.cols, sum[r]);
  for (int k = 0; k < t.depth; ++k, b += b_row) {
    const V columns = *reinterpret_cast<const V*>(b);
    for (int r = 0; r < kRows; ++r) {
      sum[r] += *a[r] * columns;
      a[r] += t.a_step;
    }
  }
  for (int r = 0; r < kRows; ++r) {
    const V scaled = sum[r] * t.scale;
    if (r < t.rows) store<kFloats>(scaled, t.cols, t.c + r * t.c_row);
  }
}

/// Transposes a square, whose rows `v` holds, by perfect shuffles.
template <int kFloats>
void transpose(Vector<kFloats> (&v)[kFloats]) {
  typename IndexVectorOf<kFloats>::Type low, high;
  for (int i = 0; i < kFloats; ++i) {
    low[i] = i / 2 + i % 2 * kFloats;
    high[i] = low[i] + kFloats / 2;
  }
  for (int stage = 1; stage < kFloats; stage *= 2) {
    Vector<kFloats> shuffled[kFloats];
    for (int i = 0; i < kFloats / 2; ++i) {
      shuffled[2 * i] = __builtin_shuffle(v[i], v[i + kFloats / 2], low);
      shuffled[2 * i + 1] = __builtin_shuffle(v[i], v[i + kFloats / 2], high);
    }
    for (int i = 0; i < kFloats; ++i) v[i] = shuffled[i];
  }
}

/// panel[k, c] = b[c, k] for `depth` values of k; columns from `cols` on become 0. b_row: length of a row of b.
template <int kFloats>
void copy_transposed(const float* b, std::int64_t b_row, int cols, int depth, float* panel) {
  using V = Vector<kFloats>;
  int k = 0;
  for (; k + kFloats <= depth; k += kFloats) {
    V square[kFloats];
    for (int c = 0; c < kFloats; ++c) square[c] = c < cols ? *reinterpret_cast<const V*>(b + c * b_row + k) : V{};
    transpose<kFloats>(square);
    for (int i = 0; i < kFloats; ++i) *reinterpret_cast<V*>(panel + (k + i) * kFloats) = square[i];
  }
  for (; k < depth; ++k)
    for (int c = 0; c < kFloats; ++c) panel[k * kFloats + c] = c < cols ? b[c * b_row + k] : 0;
}

/// The rows [k, k + depth) of B from column `col` on.
template <int kFloats>
void fill_panel(const MatrixProduct& p, int col, int k, int depth, Panel<kFloats>& panel) {
  const int cols = std::min(kFloats, p.cols - col);
  panel.data = panel.copy;
  panel.row = kFloats;
  if (p.b_transposed) {
    copy_transposed<kFloats>(p.b + static_cast<std::int64_t>(col) * p.depth + k, p.depth, cols, depth, panel.copy);
    return;
  }
  const float* b = p.b + static_cast<std::int64_t>(k) * p.cols + col;
  if (cols == kFloats) {
    panel.data = b;
    panel.row = p.cols;
    return;
  }
  for (int row = 0; row < depth; ++row, b += p.cols)
    for (int c = 0; c < kFloats; ++c) panel.copy[row * kFloats + c] = c < cols ? b[c] : 0;
}

template <int kFloats>
void multiply_rows(Tile t, int rows, const Panel<kFloats>& panel) {
  for (; rows > 0; rows -= kTileRows) {
    t.rows = std::min(rows, kTileRows);
    if (t.rows > 4)
      multiply_tile<kFloats, kTileRows>(t, panel.data, panel.row);
    else if (t.rows > 2)
      multiply_tile<kFloats, 4>(t, panel.data, panel.row);
    else
      multiply_tile<kFloats, 2>(t, panel.data, panel.row);
    t.a += kTileRows * t.a_row_step;
    t.c += kTileRows * t.c_row;
  }
}

template <int kFloats>
void multiply_panels(const MatrixProduct& p) {
  Panel<kFloats> panel;
  Tile tile{.a_row_step = p.a_transposed ? 1 : p.depth, .a_step = p.a_transposed ? p.rows : 1, .c_row = p.cols};
  for (int col = 0; col < p.cols; col += kFloats)
    for (int k = 0; k < p.depth; k += kPanelDepth) {
      tile.cols = std::min(kFloats, p.cols - col);
      tile.depth = std::min(kPanelDepth, p.depth - k);
      tile.a = p.a + k * tile.a_step;
      tile.c = p.c + col;
      tile.first = k == 0;
      tile.scale = k + tile.depth == p.depth ? p.scale : 1;
      fill_panel(p, col, k, tile.depth, panel);
      multiply_rows(tile, p.rows, panel);
    }
}

void multiply_large(const MatrixProduct& p) {
  cblas_sgemm(CblasRowMajor, p.a_transposed ? CblasTrans : CblasNoTrans, p.b_transposed ? CblasTrans : CblasNoTrans,
              p.rows, p.cols, p.depth, p.scale, p.a, p.a_transposed ? p.rows : p.depth, p.b,
              p.b_transposed ? p.depth : p.cols, 0, p.c, p.cols);
}

}  // namespace

bool is_small(const MatrixProduct& p) {
  const std::int64_t rows = p.rows, cols = p.cols, depth = p.depth;
  return rows * depth + depth * cols + rows * cols <= kSmallFloats;
}

void multiply(const MatrixProduct& product, VectorLevel level) {
  if (is_small(product))
    multiply_small(product, level);
  else
    multiply_large(product);
}

void multiply_small(const MatrixProduct& product, VectorLevel level) {
  run_with_vectors(level, [&](auto floats) { multiply_panels<floats()>(product); });
}

}  // namespace sparsepush
