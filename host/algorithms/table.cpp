#include "host/algorithms/all_reduce.h"
#include "host/algorithms/choco.h"
#include "host/algorithms/d_psgd.h"
#include "host/algorithms/deep_squeeze.h"
#include "host/algorithms/gradient_tracking.h"
#include "host/algorithms/local_sgd.h"
#include "host/algorithms/none.h"
#include "host/algorithms/quantized_push_sum.h"
#include "host/algorithms/scsp.h"
#include "host/algorithms/sgp.h"
#include "host/algorithms/sparse_push.h"

namespace sparsepush {

const std::vector<Method>& methods() {
  static const std::vector<Method> table = {none_row(),
                                            sgp_row(),
                                            sparse_push_row(),
                                            scsp_row(),
                                            deep_squeeze_row(),
                                            d_psgd_row(),
                                            choco_row(),
                                            quantized_push_sum_row(),
                                            all_reduce_row(),
                                            local_sgd_row(),
                                            gradient_tracking_row(),
                                            push_gradient_tracking_row()};
  return table;
}

std::vector<std::string_view> methods_with_topology() {
  std::vector<std::string_view> names;
  for (const Method& method : methods())
    if (method.needs.topology) names.push_back(method.name);
  return names;
}

}  // namespace sparsepush
