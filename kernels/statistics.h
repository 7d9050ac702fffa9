// Sums over nodes and over coordinates for the measures of a run. All sums are in double and in a fixed order.
#pragma once
#include <span>

#include "kernels/backend.h"
#include "kernels/view.h"

namespace sparsepush {

/// sums[j] += x[i, j] over the rows i in order; x: [nodes, row], sums: [row]. Continuing the sums of earlier rows gives
/// the same bits as one call over all of them.
void add_rows(const Cpu& cpu, MatrixView<const float> x, std::span<double> sums);

/// distance[i] = || x_i / u_i - center ||^2 for each row, in double, coordinates in an order that depends on the row's
/// length only. x: [nodes, row], u: [nodes], center: [row], distance: [nodes].
void squared_distances(const Cpu& cpu, MatrixView<const float> x, std::span<const double> u,
                       std::span<const double> center, std::span<double> distance);

/// norm[i] = || x_i ||^2 likewise. x: [nodes, row], norm: [nodes].
void squared_norms(const Cpu& cpu, MatrixView<const float> x, std::span<double> norm);

}  // namespace sparsepush
