// Quantized push-sum (Taheri et al. 2020, [QuantizedPushSum]): CHOCO over push-sum at averaging rate 1, which an
// unbiased compressor of small variance allows. Gradients are taken at the z of the last mix, so that the paper's
// rounds are ours shifted by half a step.
#pragma once
#include "host/algorithms/choco.h"

namespace sparsepush {

inline Method quantized_push_sum_row() {
  Method row = choco_row();
  row.name = "quantized_push_sum";
  row.colour = "#a6529a";
  row.needs.unbiased = true;
  row.keys = {"local_steps"};
  row.averaging_rate = 1.0;
  row.fixed_rate = true;
  row.compressor = "qsgd";
  return row;
}

}  // namespace sparsepush
