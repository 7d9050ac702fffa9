#include "models/mlp.h"

#include <limits>

#include "kernels/check.h"

namespace sparsepush {

Network make_mlp(int features, std::span<const std::int64_t> hidden, int classes) {
  CHECK(!hidden.empty(), "hidden layers ", hidden.size());
  std::vector<DenseSpec> layers;
  for (const std::int64_t width : hidden) {
    CHECK(width >= 1 && width <= std::numeric_limits<int>::max(), "hidden layer of ", width);
    layers.push_back({.name = "fc" + std::to_string(layers.size() + 1), .out = static_cast<int>(width)});
  }
  layers.push_back({.name = "fc" + std::to_string(layers.size() + 1), .out = classes});
  return make_network(features, layers);
}

}  // namespace sparsepush
