// Which replicas a part of a step is for, where a method decides that in the step itself.
#pragma once
#include <cstdint>
#include <span>

namespace sparsepush {

/// [replicas] in backend memory: not 0 where it is for the replica; empty: it is for all. Recorded work is launched
/// whatever stands here, so that ops look, and leave other replicas as they are.
using Due = std::span<const std::int32_t>;

/// Returns whether something is for a replica.
constexpr bool is_due(Due due, std::int64_t replica) { return due.empty() || due[replica] != 0; }

}  // namespace sparsepush
