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
  /// A normalization: terms instead of its output, by which its one reader normalizes, which also sums its gradient.
  bool leaves_terms = false;
  bool sums_gradient = false;  ///< a convolution: its input's, as the normalization before it wants it (NormGradient)
};

/// Decides what calls do for each other on a GPU, by their shapes alone, for at most so many samples a node:
///
///   convolution on tensor cores, then batch normalization      leaves moments: its outputs are read once less
///   batch normalization that adds no skip tensor and is none,  leaves terms: its output is never stored
///   then convolution on tensor cores of 16s of channels
///   batch normalization, then convolution on tensor cores      backward, the second sums the gradient that it writes,
///   of 16s of channels                                         which is read and written once less
///
/// Nothing else is fused: no layer in fp32 or by cuDNN, no other norm, nothing on a Cpu. Terms change no bits; sums of
/// another order change last bits, which TF32 and ReLUs amplify as they do a change of the last bits of parameters: to
/// 5 % of the gradient, by norm, of a ResNet-20 that begins.
std::vector<CallFusion> fuse_calls(const Network& network, int samples);
template <class Backend>
std::vector<CallFusion> fuse_calls_on(const Network& network, int samples) {
  return std::is_same_v<Backend, Cuda> ? fuse_calls(network, samples) : std::vector<CallFusion>(network.calls.size());
}

/// Returns whether tensor `number` is stored: no call leaves terms in its place.
inline bool is_stored(const std::vector<CallFusion>& fusion, int number) {
  return number == 0 || !fusion[number - 1].leaves_terms;
}

/// Counts the doubles of a node with so many samples that sums of tiles take, of moments or of gradients, one call at a
/// time.
std::int64_t tile_sum_doubles(const Network& network, const std::vector<CallFusion>& fusion, int samples);

}  // namespace sparsepush
