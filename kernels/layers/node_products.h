// Matrix products of many nodes, a tile of one a block, for .cu files only.
#pragma once
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/quad.h"

namespace sparsepush {

/// A block's threads are a rectangle, each with kPer x kPer neighbouring elements of a tile.
template <int kDown, int kAcross, int kPer>
struct TileShape {
  static constexpr int kThreads = kDown * kAcross, kThreadsAcross = kAcross, kPerThread = kPer;
  static constexpr int kRows = kDown * kPer, kCols = kAcross * kPer;
  static constexpr int kBlocksTogether = 512 / kThreads;  // without this ptxas saves registers until a kernel spills
};

inline constexpr int kDepth = 16;       // terms of every sum that stand in shared memory at once
inline constexpr int kTilePadding = 4;  // columns: quads stay aligned, and 16 terms of 2 vectors meet a bank twice

/// What a tile's sums read, term by term.
template <class Shape>
struct alignas(16) Tile {
  float a[kDepth][Shape::kRows + kTilePadding], b[kDepth][Shape::kCols + kTilePadding];
};

/// One side of a product: `count` vectors of `depth` terms each, the rows of a matrix in memory or its columns.
///
/// Every operand has these members. `vector` and `term` compute what the address of an element needs of either, once
/// for many elements; `at` is 0 where one of them is beyond the end. Terms of a vector (kTermsAdjoin) or vectors stand
/// side by side in memory: there a thread takes `kRun` neighbours, 1 or 4. `quads`: four of them, from a multiple of 4
/// on, are 16 aligned bytes, which `quad_at` reads, given what is the first one's.
template <bool kTerms, int kNeighbours = 1>
struct Matrix {
  static constexpr bool kTermsAdjoin = kTerms;
  static constexpr int kRun = kNeighbours;
  struct Part {
    std::int64_t offset;
    bool inside;
  };

  const float* data;  ///< [count, depth] if terms adjoin, else [depth, count]
  int count, depth;
  bool quads = false;

  constexpr Part vector(int v) const { return {kTermsAdjoin ? std::int64_t{v} * depth : v, v < count}; }
  constexpr Part term(int k) const { return {kTermsAdjoin ? k : std::int64_t{k} * count, k < depth}; }
  constexpr float at(const Part& v, const Part& k) const {
    return v.inside && k.inside ? data[v.offset + k.offset] : 0.0f;
  }
  __device__ Quad quad_at(const Part& v, const Part& k) const {
    return v.inside && k.inside ? load_quad(data + v.offset + k.offset, 0) : Quad{};
  }
};

/// sum over k of a[i, k] b[j, k], for all i and j, and a factor for who takes the sums.
template <class A, class B>
struct Product {
  A a;
  B b;
  float scale = 1;
};

/// A thread's share in copying `kSize` vectors of an operand, from `first` on: several runs of neighbours, which
/// neighbouring threads continue. What is read waits in registers.
template <class Operand, int kSize, int kThreads>
class TileCopy {
 public:
  __device__ TileCopy(const Operand& from, int first) : from_(from) {
    for (int i = 0; i < kVectors; ++i) vector_[i] = from.vector(first + (kTermsAdjoin ? slow(i) : fast(i)));
  }

  /// Reads the thread's elements of the terms from `k` on.
  __device__ void read(int k) {
    if constexpr (kRun == 4)
      if (from_.quads) return read_quads(k);
    for (int i = 0; i < (kTermsAdjoin ? kRun : kSlow); ++i) {
      const auto term = from_.term(k + (kTermsAdjoin ? fast(i) : slow(i)));
      for (int j = 0; j < kVectors; ++j)
        value_[kTermsAdjoin ? j : i][kTermsAdjoin ? i : j] = from_.at(vector_[j], term);
    }
  }
  __device__ void store(float (&tile)[kDepth][kSize + kTilePadding]) const {
    for (int i = 0; i < kSlow; ++i)
      for (int j = 0; j < kRun; ++j)
        tile[kTermsAdjoin ? fast(j) : slow(i)][kTermsAdjoin ? slow(i) : fast(j)] = value_[i][j];
  }

 private:
  static constexpr bool kTermsAdjoin = Operand::kTermsAdjoin;
  static constexpr int kRun = Operand::kRun, kRuns = (kTermsAdjoin ? kDepth : kSize) / kRun;
  static constexpr int kSlow = kSize * kDepth / kRun / kThreads, kVectors = kTermsAdjoin ? kSlow : kRun;
  static_assert(kThreads % kRuns == 0 && kSlow * kRun * kThreads == kSize * kDepth);

  __device__ static int fast(int i) { return static_cast<int>(threadIdx.x) % kRuns * kRun + i; }
  __device__ static int slow(int i) { return static_cast<int>(threadIdx.x) / kRuns + i * (kThreads / kRuns); }

  __device__ void read_quads(int k) {
    for (int i = 0; i < kSlow; ++i) {
      const Quad quad = kTermsAdjoin ? from_.quad_at(vector_[i], from_.term(k + fast(0)))
                                     : from_.quad_at(vector_[0], from_.term(k + slow(i)));
      for (int j = 0; j < kRun; ++j) value_[i][j] = quad.lane[j];
    }
  }

  const Operand& from_;
  decltype(from_.vector(0)) vector_[kVectors];
  float value_[kSlow][kRun];
};

/// Adds up the thread's sums of the tile at (row, col), terms in order. The whole block calls it. While it multiplies,
/// the terms that come next are on their way from memory.
template <class Shape, class A, class B>
__device__ void sum_tile(const Product<A, B>& product, int row, int col,
                         float (&sum)[Shape::kPerThread][Shape::kPerThread]) {
  constexpr int kPer = Shape::kPerThread;
  Tile<Shape>& tile = *dynamic_shared<Tile<Shape>>();
  const int y = threadIdx.x / Shape::kThreadsAcross * kPer, x = threadIdx.x % Shape::kThreadsAcross * kPer;
  TileCopy<A, Shape::kRows, Shape::kThreads> a(product.a, row);
  TileCopy<B, Shape::kCols, Shape::kThreads> b(product.b, col);
  a.read(0);
  b.read(0);
  for (int k = 0; k < product.a.depth; k += kDepth) {
    a.store(tile.a);
    b.store(tile.b);
    __syncthreads();
    a.read(k + kDepth);
    b.read(k + kDepth);
    for (int term = 0; term < kDepth; ++term)
      for (int i = 0; i < kPer; ++i)
        for (int j = 0; j < kPer; ++j) sum[i][j] = __fmaf_rn(tile.a[term][y + i], tile.b[term][x + j], sum[i][j]);
    __syncthreads();
  }
}

/// Where a thread's sums of one row of a product belong: in `columns` columns from `col` on.
struct Place {
  std::int64_t product;
  int row, col, columns;
};

/// Computes the products product_of(number), none larger than [rows, cols]; write(product, place, sums) receives the
/// sums, `kPer` neighbours at a time. One block per (product, tile), in strides of the grid, so that the order of a sum
/// depends on the operands only.
template <class Shape, class ProductOf, class Write>
__device__ void multiply_all(std::int64_t products, int rows, int cols, const ProductOf& product_of,
                             const Write& write) {
  constexpr int kPer = Shape::kPerThread;
  const int across = static_cast<int>(divide_up(cols, Shape::kCols));
  const int tiles = static_cast<int>(divide_up(rows, Shape::kRows)) * across;
  for (std::int64_t item = blockIdx.x; item < products * tiles; item += gridDim.x) {
    const std::int64_t number = item / tiles;
    const int tile = static_cast<int>(item - number * tiles);
    const int row = tile / across * Shape::kRows, col = tile % across * Shape::kCols;
    const auto product = product_of(number);
    float sum[kPer][kPer] = {};
    sum_tile<Shape>(product, row, col, sum);
    const int r = row + threadIdx.x / Shape::kThreadsAcross * kPer,
              c = col + threadIdx.x % Shape::kThreadsAcross * kPer;
    const int columns = std::min(product.b.count - c, +kPer);
    for (int i = 0; i < kPer; ++i)
      if (r + i < product.a.count && columns > 0) write(product, Place{number, r + i, c, columns}, sum[i]);
  }
}

/// Writes the first `count` of `value` to `to` on: four that may be written at once, in one access.
template <int kPer>
__device__ void store_run(const float (&value)[kPer], int count, float* to) {
  if constexpr (kPer == 4)
    if (count == 4 && reinterpret_cast<std::uintptr_t>(to) % 16 == 0)
      return store_quad({{value[0], value[1], value[2], value[3]}}, to, 0);
  for (int j = 0; j < kPer; ++j)
    if (j < count) to[j] = value[j];
}

/// Blocks for products of `rows` x `cols`, as many as fill the GPU at most.
template <class Shape>
LaunchShape launch_shape(const Cuda& gpu, std::int64_t products, int rows, int cols) {
  const std::int64_t tiles = divide_up(rows, Shape::kRows) * divide_up(cols, Shape::kCols);
  return {.blocks = blocks_for(gpu, products * tiles, 2048 / Shape::kThreads),
          .threads = Shape::kThreads,
          .shared_bytes = sizeof(Tile<Shape>)};
}

/// Calls body(sixteens) with how long a tile's side should be in 16s, as a constant: as long as the matrix's, up to 64,
/// beyond which tiles would read less but take more registers.
template <class Body>
void with_tile_side(int length, const Body& body) {
  if (length <= 16)
    body(std::integral_constant<int, 1>{});
  else if (length <= 32)
    body(std::integral_constant<int, 2>{});
  else
    body(std::integral_constant<int, 4>{});
}

}  // namespace sparsepush
