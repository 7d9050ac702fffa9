// What model.norm can be.
#pragma once
#include <string_view>
#include <vector>

#include "kernels/layers/normalize/normalize.h"

namespace sparsepush {

struct NormKind {
  std::string_view name;
  Norm norm = Norm::kNone;
  bool has_statistics = false;  ///< running ones
};

const std::vector<NormKind>& norms();

}  // namespace sparsepush
