#include "models/mlp.h"

#include <limits>

#include "data/files/input_error.h"
#include "data/memory_plan.h"
#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

/// Refuses networks whose rows no array could hold, before anything is laid out.
void check_size(const Model::Request& r) {
  double params = 0, in = r.data.features;
  for (const std::int64_t width : r.config.hidden) {
    params += (in + 1) * static_cast<double>(width);
    in = static_cast<double>(width);
  }
  params += (in + 1) * r.data.classes;
  constexpr double kMost = std::numeric_limits<std::int32_t>::max() - 4096.0;
  if (params > kMost)
    throw InputError(
        "model.hidden: a node has {:.4g} parameters, x of {} nodes alone needs {}; at most {:.0f} fit a row", params,
        r.nodes, format_bytes(params * sizeof(float) * r.nodes), kMost);
}

}  // namespace

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

Model mlp_model() {
  return {.name = "mlp", .keys = {"model.hidden"}, .make = [](const Model::Request& r) {
            check_size(r);
            return make_mlp(r.data.features, r.config.hidden, r.data.classes);
          }};
}

}  // namespace sparsepush
