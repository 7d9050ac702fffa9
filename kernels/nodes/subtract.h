// The difference of two state arrays.
#pragma once
#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"

namespace sparsepush {

/// Subtracts: difference = a - b, element by element, and may be one of them; all [nodes, row] with row a multiple of
/// 4. Backends agree exactly (NaN payloads aside).
void subtract(const Cpu& cpu, MatrixView<const float> a, MatrixView<const float> b, MatrixView<float> difference);
void subtract(const Cuda& gpu, MatrixView<const float> a, MatrixView<const float> b, MatrixView<float> difference);

/// Checks the shapes above.
void check_subtract_shapes(MatrixView<const float> a, MatrixView<const float> b, MatrixView<const float> difference);

}  // namespace sparsepush
