#include "host/algorithms/all_reduce.h"
#include "host/algorithms/choco.h"
#include "host/algorithms/d2.h"
#include "host/algorithms/d_psgd.h"
#include "host/algorithms/deep_squeeze.h"
#include "host/algorithms/fda.h"
#include "host/algorithms/gradient_tracking.h"
#include "host/algorithms/local_sgd.h"
#include "host/algorithms/none.h"
#include "host/algorithms/quantized_push_sum.h"
#include "host/algorithms/scsp.h"
#include "host/algorithms/sgp.h"
#include "host/algorithms/shared_block.h"
#include "host/algorithms/sparse_push.h"
#include "host/algorithms/update_compression.h"

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
                                            fda_row(),
                                            gradient_tracking_row(),
                                            push_gradient_tracking_row(),
                                            d2_row(),
                                            shared_block_row()};
  return table;
}

Method compressing_updates(Method row) {
  row.message = Message{.arrays = {}, .compressed = true};
  row.averaging_rate = 1.0;
  row.steps_into = &state::error;
  row.play = [](auto& n, const PlannedRound& round) { push_updates(n, round); };
  return row;
}

std::vector<std::string_view> methods_with_topology() {
  std::vector<std::string_view> names;
  for (const Method& method : methods())
    if (method.needs.topology) names.push_back(method.name);
  return names;
}

}  // namespace sparsepush
