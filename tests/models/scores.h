// Where tests keep the scores of models.
#pragma once
#include <vector>

#include "kernels/backend/view.h"

namespace sparsepush {

struct Scores {
  explicit Scores(int models, int columns = 2) : columns(columns), values(models * columns) {}

  MatrixView<double> view() { return {values.data(), static_cast<int>(values.size()) / columns, columns}; }
  double loss(int model) const { return values[model * columns]; }
  double accuracy(int model) const { return values[model * columns + 1]; }

  int columns;
  std::vector<double> values;  ///< [models, columns]
};

}  // namespace sparsepush
