#include "host/recipe/compressors.h"

#include "host/compressors/low_rank.h"
#include "host/compressors/quantized.h"
#include "host/compressors/random_k.h"
#include "host/compressors/top_k.h"

namespace sparsepush {

const std::vector<Compressor>& compressors() {
  static const std::vector<Compressor> table = {top_k_row(), identity_row(), random_k_row(),
                                                qsgd_row(),  sign_row(),     low_rank_row()};
  return table;
}

}  // namespace sparsepush
