#include <algorithm>

#include "kernels/backend/cuda_launch.h"
#include "kernels/layers/channel_vector.h"
#include "kernels/layers/pool.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;
constexpr int kItems = 1024;  // of a tile of a sample: four a thread

// Samples of all nodes are alike, as there are no parameters: kernels take them without regard to nodes. A block takes
// a tile of a sample, in strides of the grid, and its threads take neighbouring channels of that.

/// Calls body(sample, item) for `items` items of every sample.
template <class Body>
__device__ void for_each_item(std::int64_t samples, int items, const Body& body) {
  const std::int64_t tiles = divide_up(items, kItems);
  for (std::int64_t tile = blockIdx.x; tile < samples * tiles; tile += gridDim.x) {
    const std::int64_t sample = tile / tiles;
    const int begin = static_cast<int>(tile % tiles) * kItems, end = std::min(items, begin + kItems);
    for (int item = begin + static_cast<int>(threadIdx.x); item < end; item += kThreads) body(sample, item);
  }
}

/// A 2 x 2 square of pixels, and some channels of it.
struct Square {
  int y, x;     ///< of its first pixel
  int channel;  ///< the first one
};

/// Item number `item` of an image that has `across` squares side by side.
template <int kFloats>
__device__ Square square_of(int item, int across, int channels) {
  const int vectors = channels / kFloats, square = item / vectors;
  return {square / across * 2, square % across * 2, item % vectors * kFloats};
}

/// Whether of a square the element that is the largest so far stays so.
__device__ bool stays_largest(float largest, float next) { return largest >= next || largest != largest; }

/// An item is a square's maximum.
template <int kFloats>
__global__ void take_maxima_kernel(PoolForward f) {
  const ImageShape in = f.layer.in, out = f.layer.out_shape();
  for_each_item(f.input.rows, out.size() / kFloats, [&](std::int64_t sample, int item) {
    const Square at = square_of<kFloats>(item, out.width, in.channels);
    const float* pixel = f.input.row(sample) + (at.y * in.width + at.x) * in.channels + at.channel;
    ChannelVector<kFloats> largest = load_channels<kFloats>(pixel);
    for (int i = 1; i < 4; ++i) {
      const auto next = load_channels<kFloats>(pixel + (i / 2 * in.width + i % 2) * in.channels);
      for (int lane = 0; lane < kFloats; ++lane)
        if (!stays_largest(largest.lane[lane], next.lane[lane])) largest.lane[lane] = next.lane[lane];
    }
    store_channels(largest, f.output.row(sample) + item * kFloats);
  });
}

/// An item is a square's gradient, or zeros in what an odd last row or column has of one.
template <int kFloats>
__global__ void pass_to_maxima_kernel(PoolBackward b) {
  const ImageShape in = b.layer.in, out = b.layer.out_shape();
  const int down = (in.height + 1) / 2, across = (in.width + 1) / 2;
  for_each_item(b.input.rows, down * across * (in.channels / kFloats), [&](std::int64_t sample, int item) {
    const Square at = square_of<kFloats>(item, across, in.channels);
    const int first = (at.y * in.width + at.x) * in.channels + at.channel;
    const float* input = b.input.row(sample) + first;
    float* gradient = b.input_gradient.row(sample) + first;
    const auto offset = [&](int i) { return (i / 2 * in.width + i % 2) * in.channels; };
    const auto exists = [&](int i) { return at.y + i / 2 < in.height && at.x + i % 2 < in.width; };
    const bool whole = exists(3);
    int taken[kFloats] = {};
    ChannelVector<kFloats> passed = {};
    if (whole) {
      const int square = (at.y / 2 * out.width + at.x / 2) * in.channels + at.channel;
      passed = load_channels<kFloats>(b.output_gradient.row(sample) + square);
      ChannelVector<kFloats> largest = load_channels<kFloats>(input);
      for (int i = 1; i < 4; ++i) {
        const auto next = load_channels<kFloats>(input + offset(i));
        for (int lane = 0; lane < kFloats; ++lane) {
          if (stays_largest(largest.lane[lane], next.lane[lane])) continue;
          largest.lane[lane] = next.lane[lane];
          taken[lane] = i;
        }
      }
    }
    for (int i = 0; i < 4; ++i) {
      if (!exists(i)) continue;
      ChannelVector<kFloats> own;
      for (int lane = 0; lane < kFloats; ++lane) own.lane[lane] = taken[lane] == i ? passed.lane[lane] : 0.0f;
      store_channels(own, gradient + offset(i));
    }
  });
}

/// An item is a channel's average, its pixels in order.
template <int kFloats>
__global__ void take_averages_kernel(PoolForward f) {
  const ImageShape in = f.layer.in;
  for_each_item(f.input.rows, in.channels / kFloats, [&](std::int64_t sample, int item) {
    const float* pixel = f.input.row(sample) + item * kFloats;
    ChannelVector<kFloats> sum = load_channels<kFloats>(pixel);
    for (int p = 1; p < in.pixels(); ++p) {
      const auto next = load_channels<kFloats>(pixel + p * in.channels);
      for (int lane = 0; lane < kFloats; ++lane) sum.lane[lane] += next.lane[lane];
    }
    for (int lane = 0; lane < kFloats; ++lane) sum.lane[lane] *= f.layer.share_of_pixel();
    store_channels(sum, f.output.row(sample) + item * kFloats);
  });
}

/// An item is a pixel's share.
template <int kFloats>
__global__ void share_among_pixels_kernel(PoolBackward b) {
  const ImageShape in = b.layer.in;
  for_each_item(b.input.rows, in.size() / kFloats, [&](std::int64_t sample, int item) {
    const int channel = item * kFloats % in.channels;
    auto share = load_channels<kFloats>(b.output_gradient.row(sample) + channel);
    for (int lane = 0; lane < kFloats; ++lane) share.lane[lane] *= b.layer.share_of_pixel();
    store_channels(share, b.input_gradient.row(sample) + item * kFloats);
  });
}

/// to [samples, cols, rows] = the transpose of from [samples, rows, cols], an item per element as `from` has them.
__global__ void transpose_kernel(MatrixView<const float> from, int rows, int cols, MatrixView<float> to) {
  for_each_item(from.rows, rows * cols, [&](std::int64_t sample, int item) {
    to.row(sample)[item % cols * rows + item / cols] = from.row(sample)[item];
  });
}

/// For `items` items of every sample.
LaunchShape blocks_of_items(const Cuda& gpu, std::int64_t samples, int items) {
  return {.blocks = blocks_for(gpu, samples * divide_up(items, kItems)), .threads = kThreads};
}

}  // namespace

void pool_forward(const Cuda& gpu, const PoolForward& forward) {
  check_pool_forward_shapes(forward);
  const ImageShape &in = forward.layer.in, out = forward.layer.out_shape();
  const int samples = forward.input.rows;
  if (forward.layer.pool == Pool::kFlatten)
    return launch(gpu, blocks_of_items(gpu, samples, in.size()), transpose_kernel, forward.input, in.pixels(),
                  in.channels, forward.output);
  check_aligned(in.channels, {forward.input.data, forward.output.data});
  with_channel_vectors(in.channels, [&](auto floats) {
    const auto kernel =
        forward.layer.pool == Pool::kMax ? take_maxima_kernel<floats()> : take_averages_kernel<floats()>;
    launch(gpu, blocks_of_items(gpu, samples, out.size() / floats()), kernel, forward);
  });
}

void pool_backward(const Cuda& gpu, const PoolBackward& backward) {
  check_pool_backward_shapes(backward);
  const ImageShape& in = backward.layer.in;
  const int samples = backward.input.rows;
  if (backward.layer.pool == Pool::kFlatten)
    return launch(gpu, blocks_of_items(gpu, samples, in.size()), transpose_kernel, backward.output_gradient,
                  in.channels, in.pixels(), backward.input_gradient);
  check_aligned(in.channels, {backward.input.data, backward.output_gradient.data, backward.input_gradient.data});
  with_channel_vectors(in.channels, [&](auto floats) {
    if (backward.layer.pool == Pool::kAverage)
      return launch(gpu, blocks_of_items(gpu, samples, in.size() / floats()), share_among_pixels_kernel<floats()>,
                    backward);
    const int squares = (in.height + 1) / 2 * ((in.width + 1) / 2);
    launch(gpu, blocks_of_items(gpu, samples, squares * in.channels / floats()), pass_to_maxima_kernel<floats()>,
           backward);
  });
}

}  // namespace sparsepush
