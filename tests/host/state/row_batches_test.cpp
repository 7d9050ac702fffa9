#include "host/state/row_batches.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"

namespace sparsepush {
namespace {

template <class Backend>
class RowBatchesOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(RowBatchesOn, Backends);

/// No rows, one batch, several with a rest, and a row that is larger than a batch.
TYPED_TEST(RowBatchesOn, FillAndReadEveryRowOnce) {
  struct Shape {
    int rows, cols;
  };
  const TypeParam backend = tested_backend<TypeParam>();
  for (const auto& [rows, cols] : {Shape{0, 8}, {1, 4}, {7, 12}, {7, 3 << 19}, {2, (1 << 22) + 4}}) {
    const Buffer<TypeParam, float> array(backend, rows, cols, std::vector<float>(std::size_t(rows) * cols, -1.0f));
    std::vector<int> filled, read;
    fill_rows(backend, array.view(), [&](int row, float* values) {
      filled.push_back(row);
      values[0] = static_cast<float>(row + 1);
      values[cols - 2] = static_cast<float>(row + 2);
    });
    read_rows(backend, array.view(), [&](int row, const float* values) {
      read.push_back(row);
      std::vector<float> wanted(cols, 0.0f);
      wanted[0] = static_cast<float>(row + 1);
      wanted[cols - 2] = static_cast<float>(row + 2);
      EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), values)) << row << " of " << rows << " x " << cols;
    });
    std::vector<int> all(rows);
    for (int row = 0; row < rows; ++row) all[row] = row;
    EXPECT_EQ(filled, all);
    EXPECT_EQ(read, all);
  }
}

}  // namespace
}  // namespace sparsepush
