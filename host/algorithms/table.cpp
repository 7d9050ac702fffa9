#include "host/algorithms/choco.h"
#include "host/algorithms/d_psgd.h"
#include "host/algorithms/deep_squeeze.h"
#include "host/algorithms/none.h"
#include "host/algorithms/scsp.h"
#include "host/algorithms/sgp.h"
#include "host/algorithms/sparse_push.h"

namespace sparsepush {

const std::vector<Method>& methods() {
  static const std::vector<Method> table = {none_row(),         sgp_row(),    sparse_push_row(), scsp_row(),
                                            deep_squeeze_row(), d_psgd_row(), choco_row()};
  return table;
}

}  // namespace sparsepush
