// Whose code computes convolutions on a GPU.
#pragma once

namespace sparsepush {

enum class ConvolutionCode { kOwn, kCudnn };

}  // namespace sparsepush
