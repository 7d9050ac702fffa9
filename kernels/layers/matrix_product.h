// Products of matrices on the calling thread: those of small layers by loops of our own, large ones through OpenBLAS.
#pragma once
#include <cstdint>

#include "kernels/backend/vector_level.h"

namespace sparsepush {

/// C = scale * A B in fp32; all matrices are row-major. A transposed operand is stored as its transpose.
struct MatrixProduct {
  int rows = 0, cols = 0, depth = 0;
  const float* a = nullptr;  ///< [rows, depth], transposed [depth, rows]
  bool a_transposed = false;
  const float* b = nullptr;  ///< [depth, cols], transposed [cols, depth]
  bool b_transposed = false;
  float scale = 1;
  float* c = nullptr;  ///< [rows, cols] written
};

/// Returns whether the matrices fit the second level of cache together.
bool is_small(const MatrixProduct& product);

/// Multiplies, small products by `multiply_small`. In the others the order of a sum depends on the shape and OpenBLAS's
/// choice for the processor.
void multiply(const MatrixProduct& product, VectorLevel level);

/// Adds up each sum over `depth` in order, its terms rounded first, so that results are the same bits on every
/// processor and at every `level`. Allocates nothing.
void multiply_small(const MatrixProduct& product, VectorLevel level);

}  // namespace sparsepush
