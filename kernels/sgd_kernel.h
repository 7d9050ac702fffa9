// The SGD step on a GPU, shared by the ops that contain it; for .cu files only.
#pragma once
#include "kernels/cuda_launch.h"
#include "kernels/cuda_layout.h"
#include "kernels/sgd_update.h"

namespace sparsepush {

/// `sgd_update`, and, if `error` has data, v = x + e, which replaces e and then decides who has diverged.
void run_sgd(const Cuda& gpu, const CudaLayout& layout, const SgdUpdate& update, MatrixView<float> error);

}  // namespace sparsepush
