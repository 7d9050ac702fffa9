// Copies to shared memory for products on tensor cores, for .cu files only.
#pragma once
#include <type_traits>

#include "kernels/backend/quad.h"
#include "kernels/backend/tensor_core.h"
#include "kernels/backend/tf32.h"
#include "kernels/layers/conv2d/halo_tiles.h"
#include "kernels/layers/norm_on_load.h"

namespace sparsepush {

/// Calls body(row, place) for the thread's share of rows of 4 * kQuads floats, by quads that begin at `place`. The same
/// thread has the same quads each time, and so can round what it copied without waiting for others.
template <int kQuads, class Body>
__device__ void for_each_quad(int rows, const Body& body) {
  for (int i = static_cast<int>(threadIdx.x); i < rows * kQuads; i += static_cast<int>(blockDim.x))
    body(i / kQuads, i % kQuads * 4);
}

/// Rounds rows of 4 * kQuads floats that are `pitch` apart and that this thread has waited for.
template <int kQuads>
__device__ void round_rows(float* shared, int rows, int pitch) {
  for_each_quad<kQuads>(rows, [&](int row, int place) {
    Quad quad = load_quad(shared + row * pitch + place, 0);
    for (float& value : quad.lane) value = round_to_tf32(value);
    store_quad(quad, shared + row * pitch + place, 0);
  });
}

/// Normalizes and rounds what this thread has copied by copy_halo and waited for; zeros beyond the edges stay zeros.
/// terms: what ChannelNorm says of the first of these channels, the source's all following.
template <int kChannels, int kPitch>
__device__ void normalize_halo(const HaloTiles& tiles, int line, const float* terms, float cut, float* shared) {
  constexpr int kQuads = kChannels / 4;  // a power of two, as threads are: a thread has the same channels each time
  const float* const of_thread = terms + static_cast<int>(threadIdx.x) % kQuads * 4;
  const int channels = tiles.source().channels;
  const Quad mean = load_quad(of_thread, 0), scale = load_quad(of_thread + channels, 0);
  const Quad shift = load_quad(of_thread + 2 * channels, 0);
  for_each_quad<kQuads>(tiles.positions(line), [&](int position, int channel) {
    if (tiles.source_pixel(line, position) < 0) return;
    float* const at = shared + position * kPitch + channel;
    Quad quad = load_quad(at, 0);
    for_each_lane(4, [&](int lane) {
      const ChannelNorm norm{mean.lane[lane], scale.lane[lane], shift.lane[lane]};
      quad.lane[lane] = round_to_tf32(norm.normalized(quad.lane[lane], cut));
    });
    store_quad(quad, at, 0);
  });
}

/// Begins to copy `kChannels` channels of what the tile that begins with `line` reads, its positions `kPitch` apart.
/// source: the first of these channels, of the node's first pixel.
template <int kChannels, int kPitch>
__device__ void copy_halo(const HaloTiles& tiles, int line, const float* source, float* shared) {
  for_each_quad<kChannels / 4>(tiles.positions(line), [&](int position, int channel) {
    const int pixel = tiles.source_pixel(line, position);
    const bool inside = pixel >= 0;
    copy_quad_async(shared + position * kPitch + channel,
                    source + (inside ? pixel * tiles.source().channels + channel : 0), inside);
  });
}

/// Calls body(i) for i = first, ..., end - 1 as constants.
template <int first, int end, class Body>
__device__ void for_each_constant(const Body& body) {
  if constexpr (first < end) {
    body(std::integral_constant<int, first>{});
    for_each_constant<first + 1, end>(body);
  }
}

}  // namespace sparsepush
