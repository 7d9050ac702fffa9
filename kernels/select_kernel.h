// Top-k on a GPU, shared by the ops that contain it; for .cu files only.
#pragma once
#include "kernels/cuda_launch.h"
#include "kernels/topk_select.h"

namespace sparsepush {

/// `topk_select` without its checks.
void run_selection(const Cuda& gpu, const SelectionMemory<Cuda>& memory, MatrixView<float> v, const Messages& messages);

}  // namespace sparsepush
