// The table of compressors: the valid names, and all that the rest of the program knows about each.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "data/table.h"
#include "host/algorithms/on_both_backends.h"
#include "host/config/config.h"
#include "kernels/messages/topk/topk_plan.h"
#include "kernels/messages/traffic.h"
#include "kernels/nodes/state.h"

namespace sparsepush {

/// Q = C(v) goes into messages, and v becomes v - Q.
struct Compressor {
  std::string name;
  StateList messages;             ///< where Q stands, a row a slot
  std::vector<std::string> keys;  ///< of [algorithm] that count for it, beside the method's
  /// averaging_rate where it is not set.
  std::function<double(const AlgorithmConfig&)> averaging_rate;
  /// Chooses what a node keeps of its row.
  std::function<TopkPlan(const AlgorithmConfig&, const RowLayout&)> selection;
  /// Counts those of one message, u included.
  std::function<MessageBytes(const Extent&)> bytes;
  bool differs_on_wire = false;  ///< each message's bytes on the wire are counted, of which `bytes` has a bound
  OnBothBackends<const Array<float>&> compress;
  /// X' = X - a G(Z); V = X' + E; Q = C(V); E <- V - Q, in one pass with the step of an optimizer that fuses.
  OnBothBackends<> update_and_compress;
};

const std::vector<Compressor>& compressors();

}  // namespace sparsepush
