#include "host/compressors/compressors.h"
#include "host/compressors/top_k.h"

namespace sparsepush {

const std::vector<Compressor>& compressors() {
  static const std::vector<Compressor> table = {top_k_row(), identity_row()};
  return table;
}

}  // namespace sparsepush
