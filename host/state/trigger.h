// The verbs of methods that decide in each step, replica by replica, whether nodes exchange their message.
#pragma once
#include <algorithm>
#include <cstdint>

#include "host/state/nodes.h"
#include "kernels/nodes/drift.h"

namespace sparsepush {

/// Measures the drift of every node: drift = (|D|^2, <heading, D>) with D = X - reference.
template <class Backend>
void measure_drift(Nodes<Backend>& n, const Array<float>& reference, const Array<float>& heading,
                   const Array<float>& drift) {
  measure_drift(n.backend, n.backend_layout,
                {.x = n[state::x], .reference = n[reference], .heading = n[heading], .drift = n[drift]});
}

/// Finds the replicas that are due: those where mean |D|^2 - (mean <heading, D>)^2 exceeds their threshold. Counts that
/// in state::syncs, and the exact mean of `drift`, the method's monitor, as one.
template <class Backend>
void flag_due(Nodes<Backend>& n, const Array<float>& drift);

/// Moves the reference of every replica that is due, where nodes are alike:
///   heading = (X - reference) / |X - reference|, reference = X.
template <class Backend>
void move_reference(Nodes<Backend>& n, const Array<float>& reference, const Array<float>& heading, Due due) {
  move_reference(n.backend, n.backend_layout,
                 {.x = n[state::x], .reference = n[reference], .heading = n[heading], .due = due});
}

/// Returns whether the host would launch in vain what is for these replicas alone. On a GPU it cannot know: nothing
/// waits there for the step, so that ops are launched, and return where nothing is due.
inline bool none_is_due(const Cpu&, Due due) {
  return std::ranges::all_of(due, [](std::int32_t flag) { return flag == 0; });
}
inline bool none_is_due(const Cuda&, Due) { return false; }

/// Calls body(due), which does what follows for replicas that are due and leaves the others as they are.
template <class Backend, class Body>
void when_due(Nodes<Backend>& n, const Body& body) {
  const Due due = n.trigger->due.span();
  if (!none_is_due(n.backend, due)) body(due);
}

/// Copies to `to`, which has one row a replica, the rows of the replicas' first nodes in `from`.
template <class Backend>
void copy_first_rows(Nodes<Backend>& n, const Array<float>& from, const Array<float>& to);

}  // namespace sparsepush
