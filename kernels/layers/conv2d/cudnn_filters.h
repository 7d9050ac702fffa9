// What cuDNN does not know of nodes: parameters in rows, de-biased where they are read; for .cu files only.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/view.h"
#include "kernels/layers/conv2d/conv2d.h"

namespace sparsepush {

// `filters` are [nodes, >= weights]: a node's weights, or their gradient, [out, kernel, kernel, in] as for images by
// pixels, where a row has [out, in, kernel, kernel].

/// Writes weights at z = x * debias_factor(u), x: [nodes, row].
void write_filters(const Cuda& gpu, const Conv2dLayer& layer, MatrixView<const float> x, std::span<const double> u,
                   MatrixView<float> filters);

/// Writes the weights' gradient to rows: gradient [nodes, row].
void read_filter_gradient(const Cuda& gpu, const Conv2dLayer& layer, MatrixView<const float> filters,
                          MatrixView<float> gradient);

/// Adds biases at z to the output.
void add_biases(const Cuda& gpu, const Conv2dLayer& layer, const Conv2dForward& forward);

}  // namespace sparsepush
