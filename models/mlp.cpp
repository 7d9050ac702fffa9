#include "models/mlp.h"

#include <limits>

#include "kernels/check.h"

namespace sparsepush {

Network make_mlp(int features, std::span<const std::int64_t> hidden, int classes) {
  CHECK(!hidden.empty(), "hidden layers ", hidden.size());
  NetworkBuilder net({1, 1, features});
  const auto next_name = [&net] { return "fc" + std::to_string(net.tensor() + 1); };
  for (const std::int64_t width : hidden) {
    CHECK(width >= 1 && width <= std::numeric_limits<int>::max(), "hidden layer of ", width);
    net.dense(next_name(), static_cast<int>(width), true);
  }
  net.dense(next_name(), classes, false);
  return net.finish();
}

}  // namespace sparsepush
