// The section [model] of a configuration.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace sparsepush {

struct ModelConfig {
  std::string name = "mlp";
  std::vector<std::int64_t> hidden = {64};  ///< of `mlp`
  std::string norm = "none";                ///< of image models
};

}  // namespace sparsepush
