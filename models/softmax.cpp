#include "models/softmax.h"

namespace sparsepush {

Network make_softmax(int features, int classes) { return make_network(features, {{.name = "fc", .out = classes}}); }

}  // namespace sparsepush
