#include "models/softmax.h"

namespace sparsepush {

Network make_softmax(int features, int classes) {
  NetworkBuilder net({1, 1, features});
  net.dense("fc", classes, false);
  return net.finish();
}

Model softmax_model() {
  return {.name = "softmax",
          .make = [](const Model::Request& r) { return make_softmax(r.data.features, r.data.classes); }};
}

}  // namespace sparsepush
