// Eigenvalues of small dense matrices, by LAPACK.
#pragma once
#include <complex>
#include <vector>

namespace sparsepush {

/// Computes all eigenvalues of the general square `matrix` [n, n], column-major, in no particular order.
std::vector<std::complex<double>> eigenvalues(std::vector<double> matrix, int n);

}  // namespace sparsepush
