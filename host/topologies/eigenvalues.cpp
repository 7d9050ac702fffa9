#include "host/topologies/eigenvalues.h"

#include <stdexcept>

#include "kernels/backend/check.h"

extern "C" {
// Every OpenBLAS contains LAPACK, but its headers are a package of their own.
void dgeev_(const char* left, const char* right, const int* n, double* matrix, const int* lda, double* real,
            double* imaginary, double* left_vectors, const int* left_lda, double* right_vectors, const int* right_lda,
            double* work, const int* work_size, int* info);
void openblas_set_num_threads(int threads);
}

namespace sparsepush {

std::vector<std::complex<double>> eigenvalues(std::vector<double> matrix, int n) {
  CHECK(n >= 1 && matrix.size() == static_cast<std::size_t>(n) * n, "n ", n, ", elements ", matrix.size());
  openblas_set_num_threads(1);  // sums that depend on the number of threads would change the last bits
  constexpr int kOne = 1;
  std::vector<double> real(n), imaginary(n), work(1);
  int info = 0;
  for (int work_size = -1; true; work_size = static_cast<int>(work.size())) {  // first asks for the best work size
    dgeev_("N", "N", &n, matrix.data(), &n, real.data(), imaginary.data(), nullptr, &kOne, nullptr, &kOne, work.data(),
           &work_size, &info);
    if (info != 0) throw std::runtime_error("LAPACK found no eigenvalues of a mixing matrix");
    if (work_size > 0) break;
    work.resize(static_cast<std::size_t>(work[0]));
  }
  std::vector<std::complex<double>> values;
  for (int i = 0; i < n; ++i) values.emplace_back(real[i], imaginary[i]);
  return values;
}

}  // namespace sparsepush
