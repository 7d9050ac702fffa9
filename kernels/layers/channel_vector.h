// Neighbouring channels of a pixel that a thread takes in one access, for .cu files only.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <type_traits>

#include "kernels/backend/quad.h"

namespace sparsepush {

/// 16 bytes where the channels are a multiple of 4, so that every pixel of an array that begins on 16 bytes does too;
/// else one.
constexpr int floats_at_once(int channels) { return channels % 4 == 0 ? 4 : 1; }

template <int kFloats>
struct ChannelVector {
  float lane[kFloats];
};

template <int kFloats>
__device__ ChannelVector<kFloats> load_channels(const float* first) {
  ChannelVector<kFloats> channels;
  if constexpr (kFloats == 4) {
    const Quad quad = load_quad(first, 0);
    for_each_lane(4, [&](int lane) { channels.lane[lane] = quad.lane[lane]; });
  } else {
    channels.lane[0] = *first;
  }
  return channels;
}

template <int kFloats>
__device__ void store_channels(const ChannelVector<kFloats>& channels, float* first) {
  if constexpr (kFloats == 4) {
    Quad quad;
    for_each_lane(4, [&](int lane) { quad.lane[lane] = channels.lane[lane]; });
    store_quad(quad, first, 0);
  } else {
    *first = channels.lane[0];
  }
}

/// Calls body(floats) with floats_at_once(channels) as a constant.
template <class Body>
void with_channel_vectors(int channels, const Body& body) {
  if (floats_at_once(channels) == 4)
    body(std::integral_constant<int, 4>{});
  else
    body(std::integral_constant<int, 1>{});
}

/// Throws std::invalid_argument if vectors of `channels` channels do not begin where one access can take them. Buffers
/// and their rows of whole images do.
inline void check_aligned(const float* array, int channels) {
  if (reinterpret_cast<std::uintptr_t>(array) % (4 * floats_at_once(channels)) != 0)
    throw std::invalid_argument("an array of images does not begin on 16 bytes");
}

}  // namespace sparsepush
