// Sums over nodes and over coordinates for the measures of a run. All sums are in double and in a fixed order.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"

namespace sparsepush {

/// Adds up columns from `first` on: sums[j] += x[i, first + j] over the rows i in order; x: [nodes, row], sums in host
/// memory, of at most row - first columns. Continuing the sums of earlier rows gives the same bits as one call over all
/// of them. Backends agree exactly (NaN payloads aside, here and below).
void add_rows(const Cpu& cpu, MatrixView<const float> x, std::int64_t first, std::span<double> sums);
void add_rows(const Cuda& gpu, MatrixView<const float> x, std::int64_t first, std::span<double> sums);

/// Checks the shapes above.
void check_add_rows_shapes(MatrixView<const float> x, std::int64_t first, std::span<const double> sums);

/// Computes distance[i] = || x_i / u_i - center ||^2 for each row, in double: column c is added to partial sum c mod
/// 16, and these are added up in order. x: [nodes, row], u: [nodes]; center: [row] and distance: [nodes] in host
/// memory. Backends agree exactly.
void squared_distances(const Cpu& cpu, MatrixView<const float> x, std::span<const double> u,
                       std::span<const double> center, std::span<double> distance);
void squared_distances(const Cuda& gpu, MatrixView<const float> x, std::span<const double> u,
                       std::span<const double> center, std::span<double> distance);

/// Checks the shapes above.
void check_squared_distances_shapes(MatrixView<const float> x, std::span<const double> u,
                                    std::span<const double> center, std::span<const double> distance);

/// Computes norm[i] = || x_i ||^2 likewise. x: [nodes, row], norm: [nodes] in host memory. Backends agree exactly.
void squared_norms(const Cpu& cpu, MatrixView<const float> x, std::span<double> norm);
void squared_norms(const Cuda& gpu, MatrixView<const float> x, std::span<double> norm);

/// Checks the shapes above.
void check_squared_norms_shapes(MatrixView<const float> x, std::span<const double> norm);

/// The partial sums of the last two, and of what compressors add up.
constexpr int kStatisticsLanes = 16;

}  // namespace sparsepush
