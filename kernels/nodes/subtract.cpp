#include "kernels/nodes/subtract.h"

#include <algorithm>

#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/multiversion.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kTile = 1 << 15;  // elements an item: enough to hide its start

}  // namespace

void check_subtract_shapes(MatrixView<const float> a, MatrixView<const float> b, MatrixView<const float> difference) {
  CHECK(difference.cols % 4 == 0, "difference ", difference);
  for (const MatrixView<const float>& of : {a, b})
    CHECK(of.rows == difference.rows && of.cols == difference.cols, "of ", of, ", difference ", difference);
}

void subtract(const Cpu& cpu, MatrixView<const float> a, MatrixView<const float> b, MatrixView<float> difference) {
  check_subtract_shapes(a, b, difference);
  const auto size = static_cast<std::int64_t>(difference.size());
  cpu.pool().run(divide_up(size, kTile), [&](std::int64_t item, int) {
    const std::int64_t end = std::min(size, (item + 1) * kTile);
    run_vectorized(
        cpu.vector_level(), [&]() __attribute__((always_inline)) {
          for (std::int64_t i = item * kTile; i < end; ++i) difference.data[i] = a.data[i] - b.data[i];
        });
  });
}

}  // namespace sparsepush
