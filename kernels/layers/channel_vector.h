// Neighbouring channels of a pixel that a thread takes in one access, for .cu files only.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "kernels/backend/check.h"
#include "kernels/backend/global_memory.h"
#include "kernels/layers/image_shape.h"

namespace sparsepush {

template <int kFloats>
struct ChannelVector {
  float lane[kFloats];
};

template <int kFloats>
__device__ ChannelVector<kFloats> load_channels(const float* first) {
  ChannelVector<kFloats> channels;
  if constexpr (kFloats == 4) {
    const Quad quad = read_quad(first);
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
    write_quad(quad, first);
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

/// Throws std::invalid_argument unless all arrays of images of `channels` channels begin where one access can take a
/// pixel's first ones, as buffers and their rows do.
inline void check_aligned(int channels, std::initializer_list<const float*> arrays) {
  for (const float* array : arrays)
    CHECK(reinterpret_cast<std::uintptr_t>(array) % (4 * floats_at_once(channels)) == 0, "images of ", channels,
          " channels at ", array);
}

}  // namespace sparsepush
