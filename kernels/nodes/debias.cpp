#include "kernels/nodes/debias.h"

#include "kernels/backend/check.h"
#include "kernels/backend/multiversion.h"

namespace sparsepush {

void check_debias_shapes(MatrixView<const float> x, std::span<const double> u, MatrixView<const float> z) {
  CHECK(x.cols % 4 == 0, "x ", x);
  CHECK(z.rows == x.rows && z.cols == x.cols, "z ", z, ", x ", x);
  CHECK(u.size() == static_cast<std::size_t>(x.rows), "u [", u.size(), "], x ", x);
}

void debias(const Cpu& cpu, MatrixView<const float> x, std::span<const double> u, MatrixView<float> z) {
  check_debias_shapes(x, u, z);
  cpu.pool().run(x.rows, [&](std::int64_t node, int) {
    const float r = debias_factor(u[node]);
    run_vectorized(
        cpu.vector_level(), [&]() __attribute__((always_inline)) {
          for (int c = 0; c < x.cols; ++c) z.row(node)[c] = x.row(node)[c] * r;
        });
  });
}

}  // namespace sparsepush
