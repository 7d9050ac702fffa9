#include "models/softmax.h"

namespace sparsepush {

Network make_softmax(int features, int classes) {
  NetworkBuilder net({1, 1, features});
  net.dense("fc", classes, false);
  return net.finish();
}

}  // namespace sparsepush
