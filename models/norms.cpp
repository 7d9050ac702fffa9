#include "models/norms.h"

namespace sparsepush {

const std::vector<NormKind>& norms() {
  static const std::vector<NormKind> table = {
      {.name = "none", .norm = Norm::kNone},
      {.name = "batch", .norm = Norm::kBatch, .has_statistics = true},
      {.name = "group", .norm = Norm::kGroup},
      {.name = "evonorm", .norm = Norm::kEvoNorm},
  };
  return table;
}

}  // namespace sparsepush
