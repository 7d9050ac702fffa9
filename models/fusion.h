// What calls of a network do for their neighbours.
#pragma once
#include <cstdint>
#include <type_traits>
#include <vector>

#include "kernels/backend/backend.h"
#include "models/network.h"

namespace sparsepush {

/// What one call does beside its own work.
struct CallFusion {
  bool leaves_moments = false;  ///< a convolution: in training, those of its outputs for the normalization behind it
};

/// Decides what calls do for each other on a GPU, by their shapes alone:
///
///   convolution on tensor cores, batch normalization    the first leaves moments, the second reads its input once less
///
/// Nothing else is fused: no layer in fp32, no other norm, nothing on a Cpu.
std::vector<CallFusion> fuse_calls(const Network& network);
template <class Backend>
std::vector<CallFusion> fuse_calls_on(const Network& network) {
  return std::is_same_v<Backend, Cuda> ? fuse_calls(network) : std::vector<CallFusion>(network.calls.size());
}

/// Counts the doubles of a node with so many samples that moments take, of one call at a time.
std::int64_t moment_doubles(const Network& network, const std::vector<CallFusion>& fusion, int samples);

}  // namespace sparsepush
