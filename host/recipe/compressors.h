// The table of compressors: the valid names, and all that the rest of the program knows about each.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/table.h"
#include "host/recipe/on_both_backends.h"
#include "host/recipe/settings.h"
#include "kernels/messages/traffic.h"
#include "kernels/nodes/state.h"
#include "models/task.h"

namespace sparsepush {

/// Something that settings and tensors decide before the run.
template <class T>
using FromSettings = std::function<T(const AlgorithmConfig&, const RowLayout&)>;

/// Q = C(v) goes into messages, and v becomes v - Q.
struct Compressor {
  std::string name;
  StateList messages;                  ///< where Q stands, a row a slot: entries, or whole rows in state::q
  StateList state = {};                ///< arrays that it keeps from round to round
  std::vector<std::string> keys = {};  ///< keys of [algorithm] that count for it, beside the method's
  /// Computes the default of algorithm.averaging_rate; without it that key has to be set.
  std::function<double(const AlgorithmConfig&)> averaging_rate = {};
  std::optional<double> most_rate = {};     ///< averaging_rate above which runs tend to diverge
  FromSettings<std::int64_t> entries = {};  ///< counts a message's entries; without it Q is whole rows
  FromSettings<std::int64_t> factors = {};  ///< counts the elements of a row of its arrays of width `factors`
  FromSettings<void> check = {};            ///< throws InputError where settings do not go with tensors
  bool can_be_unbiased = false;             ///< Q is v in the mean where the method needs it
  FromSettings<MessageBytes> bytes = {};    ///< counts the bytes of one message, u included
  bool differs_on_wire = false;  ///< bytes on the wire differ by message and are counted; `bytes` bounds them
  /// Makes, from the settings of every replica, what the compressor has beside its state arrays, and keeps it in the
  /// nodes.
  OnBothBackends<const std::vector<AlgorithmConfig>&> make = {};
  /// Counts the memory of what `make` makes, on all shards, for the memory plan.
  std::function<PlannedArray(const AlgorithmConfig&, const RowLayout&, const RunExtent&)> memory = {};
  OnBothBackends<> start = {};  ///< fills its state, where that does not start alike in all elements
  OnBothBackends<const Array<float>&> compress = {};
  /// Computes X' = X - a G(Z); V = X' + E; Q = C(V); E <- V - Q, in one pass with the step of an optimizer that fuses;
  /// without it this takes several steps.
  OnBothBackends<> update_and_compress = {};
};

/// Lists all compressors, in the order in which `sparsepush methods` prints them.
const std::vector<Compressor>& compressors();

/// Returns whether Q is whole rows.
inline bool sends_rows(const Compressor& compressor) { return contains(compressor.messages, state::q); }

}  // namespace sparsepush
