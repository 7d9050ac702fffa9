// Skew-Compensated Sparse Push, our reading of [SparsePush]: Sparse-Push for all steps, then a final merging of the
// models without SGD, which undoes the drift that skewed data causes. A row without a function of its own: the merging
// is the same for every method whose row has a final message.
#pragma once
#include "host/algorithms/sparse_push.h"

namespace sparsepush {

inline Method scsp_row() {
  Method row = sparse_push_row();
  row.name = "scsp";
  row.colour = "#009e73";
  row.final_message = Message{{&state::x, &state::sent_u}};
  row.keys.insert(row.keys.end(), {"final_rounds", "final", "final_statistics"});
  return row;
}

}  // namespace sparsepush
