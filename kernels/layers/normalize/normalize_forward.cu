#include <cmath>

#include "kernels/layers/normalize/normalize_tiles.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

constexpr int kMomentSums = 2;  // of differences to the pivot, and of their squares
// Of a block that adds up tiles: threads side by side read whole sectors, and there are blocks enough for few nodes.
constexpr int kMomentChannels = 16, kMomentRows = NormPlan::kThreads / kMomentChannels;

/// Near the mean of channels of an instance whose pixels begin at `x`: that of 8 pixels spread over it. Equal pixels
/// give their value.
template <int kFloats>
__device__ ChannelVector<kFloats> pivot_of(const float* x, const NormPlan& plan, int channel) {
  const auto at = [&](int i) {
    return load_channels<kFloats>(x + plan.groups.pixels * i / 8 * plan.channels + channel);
  };
  const ChannelVector<kFloats> pixel[] = {at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7)};
  ChannelVector<kFloats> pivot;
  for (int lane = 0; lane < kFloats; ++lane) {
    const auto pair = [&](int i) { return 0.125f * pixel[i].lane[lane] + 0.125f * pixel[i + 1].lane[lane]; };
    pivot.lane[lane] = (pair(0) + pair(2)) + (pair(4) + pair(6));
  }
  return pivot;
}

__device__ const float* pixels_of(const NormalizeForward& f, const NormPlan& plan, std::int64_t instance) {
  return f.input.data + instance * plan.groups.pixels * plan.channels;
}

/// The sums of moments of every tile of all nodes: a block per tile.
template <int kFloats>
__global__ void __launch_bounds__(NormPlan::kThreads) sum_moments_kernel(NormalizeForward f, NormPlan plan) {
  for_each_norm_tile(plan, f.x.rows, [&](const NormTile& tile) {
    const TileThread<kFloats> thread(plan, tile);
    const float* x = pixels_of(f, plan, tile.instance);
    ChannelVector<kFloats> pivot = {}, sum[kMomentSums] = {};
    if (thread.works) pivot = pivot_of<kFloats>(x, plan, thread.channel);
    thread.for_each_pixel(plan, tile, [&](std::int64_t, std::int64_t element) {
      const auto input = load_channels<kFloats>(f.input.data + element);
      for (int lane = 0; lane < kFloats; ++lane) {
        const float difference = input.lane[lane] - pivot.lane[lane];
        sum[0].lane[lane] += difference;
        sum[1].lane[lane] += difference * difference;
      }
    });
    const NormInstance instance(plan, tile.instance);
    write_tile_sums(plan, tile, sum, instance.sums(plan, f.scratch) + tile.number * kMomentSums * plan.channels);
  });
}

struct Moments {
  double mean, variance;
};

/// From the sums [kMomentSums, channels] about the pivots of a group's channels. The threads of a group call it.
__device__ Moments moments_of(const NormPlan& plan, const float* x, const double* sums, int first, int count) {
  const auto pixels = static_cast<double>(plan.groups.pixels), values = pixels * plan.group_channels();
  const auto pivot = [&](int c) { return static_cast<double>(pivot_of<1>(x, plan, c).lane[0]); };
  const double mean = sum_of_group(plan, first, count, [&](int c) { return pivot(c) * pixels + sums[c]; }) / values;
  const double squares = sum_of_group(plan, first, count, [&](int c) {
    const double offset = mean - pivot(c);
    return sums[plan.channels + c] + offset * (pixels * offset - 2 * sums[c]);
  });
  return {mean, squares < 0 ? 0 : squares / values};
}

/// Moves a channel's running statistics.
__device__ void update_statistics(const NormalizeForward& f, const NormPlan& plan, std::int64_t node, int channel,
                                  const Moments& batch) {
  constexpr float kNew = NormalizeLayer::kMomentum, kOld = 1 - kNew;
  const auto pixels = static_cast<double>(plan.groups.pixels);
  const double bessel = plan.groups.pixels > 1 ? pixels / (pixels - 1) : 1;
  float* running = f.statistics.row(node) + f.layer.statistics + channel;
  running[0] = kOld * running[0] + kNew * static_cast<float>(batch.mean);
  running[plan.channels] = kOld * running[plan.channels] + kNew * static_cast<float>(bessel * batch.variance);
}

/// What normalizes a thread's channels. Without a norm scale 1 and shift -0 keep every value, zeros with their sign.
template <int kFloats>
struct ChannelTerms {
  float mean[kFloats], scale[kFloats], shift[kFloats], v[kFloats];

  __device__ ChannelTerms(const NormalizeForward& f, const NormPlan& plan, const NormInstance& instance, int channel) {
    const float *x = f.x.row(instance.node), r = debias_factor(f.u[instance.node]);
    for (int lane = 0; lane < kFloats; ++lane) {
      mean[lane] = v[lane] = 0.0f;
      scale[lane] = 1.0f;
      shift[lane] = -0.0f;
      if (f.layer.norm == Norm::kNone) continue;
      const int c = channel + lane;
      const double* terms = instance.terms(plan, f.scratch, c / plan.group_channels());
      mean[lane] = static_cast<float>(terms[0]);
      scale[lane] = x[f.layer.gamma + c] * r * static_cast<float>(terms[1]);
      shift[lane] = x[f.layer.beta + c] * r;
      if (f.layer.norm == Norm::kEvoNorm) v[lane] = x[f.layer.v + c] * r;
    }
  }
};

/// Writes what normalizes a channel of the input wherever it is read.
__device__ void write_terms(const NormalizeForward& f, const NormPlan& plan, const NormInstance& instance,
                            int channel) {
  const ChannelTerms<1> terms(f, plan, instance, channel);
  float* const to = f.terms.row(instance.node) + channel;
  to[0] = terms.mean[0];
  to[plan.channels] = terms.scale[0];
  to[2 * plan.channels] = terms.shift[0];
}

/// Writes mean and 1 / deviation of a group to where they are needed, and what comes of them where a channel is a
/// group.
__device__ void save_moments(const NormalizeForward& f, const NormPlan& plan, const NormInstance& instance, int group,
                             const Moments& moments) {
  const auto mean = static_cast<float>(moments.mean);
  const auto inverse = static_cast<float>(1.0 / std::sqrt(moments.variance + NormalizeLayer::kEpsilon));
  double* terms = instance.terms(plan, f.scratch, group);
  terms[0] = mean;
  terms[1] = inverse;
  if (f.terms.data != nullptr) write_terms(f, plan, instance, group);
  if (!f.training) return;
  f.saved.row(instance.node)[instance.saved_mean(plan, group)] = mean;
  f.saved.row(instance.node)[instance.saved_inverse(plan, group)] = inverse;
  if (f.layer.norm == Norm::kBatch) update_statistics(f, plan, instance.node, group, moments);
}

/// A block per instance: adds up what its tiles have summed, and writes the terms of every group, a few threads each.
/// With running statistics these are what it writes.
__global__ void __launch_bounds__(NormPlan::kThreads)
    finish_moments_kernel(NormalizeForward f, NormPlan plan, bool running) {
  for (std::int64_t i = blockIdx.x; i < static_cast<std::int64_t>(f.x.rows) * plan.groups.instances; i += gridDim.x) {
    const NormInstance instance(plan, i);
    double* sums = instance.sums(plan, f.scratch);
    if (!running) add_tiles(plan.tiles, kMomentSums * plan.channels, sums);
    for_each_group(plan, [&](int group, int first, int count, bool writes) {
      Moments moments{};
      if (!running) moments = moments_of(plan, pixels_of(f, plan, i), sums, first, count);
      if (!writes) return;
      if (running) {
        const float* statistics = f.statistics.row(instance.node) + f.layer.statistics + group;
        moments = {statistics[0], statistics[plan.channels]};
      }
      save_moments(f, plan, instance, group, moments);
    });
  }
}

/// Of a channel of a node, the sums of every `rows`-th tile from `row` on, about the first tile's pivot.
__device__ PivotSums sum_tiles(const NormalizeForward& f, const NormPlan& plan, std::int64_t node, int channel, int row,
                               int rows) {
  const MomentTiles& tiles = f.moments.tiles;
  const double* of_channel = f.moments.sums.row(node) + channel;
  PivotSums all{.pivot = of_channel[0]};
  for (int tile = row; tile < tiles.count; tile += rows) {
    const double* sums = of_channel + std::int64_t{tile} * MomentTiles::kNumbers * plan.channels;
    const std::int64_t left = plan.groups.pixels - std::int64_t{tile} * tiles.pixels;
    all.add({sums[0], sums[plan.channels], sums[2 * plan.channels]},
            static_cast<double>(left < tiles.pixels ? left : tiles.pixels));
  }
  return all;
}

/// The same from the moments that a convolution has left: a block per 16 channels of a node, in strides of the grid.
/// Threads side by side take channels, rows of such threads the tiles in turn; rows are added in order.
__global__ void __launch_bounds__(NormPlan::kThreads) finish_tile_moments_kernel(NormalizeForward f, NormPlan plan) {
  __shared__ double sum_of_row[kMomentRows][kMomentChannels], square_of_row[kMomentRows][kMomentChannels];
  const int column = static_cast<int>(threadIdx.x) % kMomentChannels,
            row = static_cast<int>(threadIdx.x) / kMomentChannels;
  const int parts = (plan.channels + kMomentChannels - 1) / kMomentChannels;
  for (std::int64_t i = blockIdx.x; i < static_cast<std::int64_t>(f.x.rows) * parts; i += gridDim.x) {
    const NormInstance instance(plan, i / parts);
    const int channel = static_cast<int>(i % parts) * kMomentChannels + column;
    PivotSums all;
    if (channel < plan.channels) all = sum_tiles(f, plan, instance.node, channel, row, kMomentRows);
    sum_of_row[row][column] = all.sum;
    square_of_row[row][column] = all.square;
    __syncthreads();
    if (row == 0 && channel < plan.channels) {
      for (int other = 1; other < kMomentRows; ++other) {
        all.sum += sum_of_row[other][column];
        all.square += square_of_row[other][column];
      }
      const auto pixels = static_cast<double>(plan.groups.pixels);
      const double offset = all.sum / pixels, squares = all.square - all.sum * offset;
      save_moments(f, plan, instance, channel, {all.pivot + offset, squares < 0 ? 0 : squares / pixels});
    }
    __syncthreads();  // before the next channels' sums
  }
}

/// The skip tensor as it is added at a pixel.
template <int kFloats>
__device__ ChannelVector<kFloats> load_shortcut(const NormalizeForward& f, std::int64_t pixel, int channel) {
  const ImageShape &ours = f.layer.shape, &theirs = f.layer.skip;
  if (ours == theirs) return load_channels<kFloats>(f.skip.data + pixel * ours.channels + channel);
  const PixelPlace at(ours, pixel);
  const float* from = f.skip.row(at.sample) + (2 * at.y * theirs.width + 2 * at.x) * theirs.channels;
  ChannelVector<kFloats> shortcut;
  for (int lane = 0; lane < kFloats; ++lane) {
    const int c = channel + lane - ours.channels / 4;
    shortcut.lane[lane] = c >= 0 && c < theirs.channels ? from[c] : 0.0f;
  }
  return shortcut;
}

/// The output of every tile of all nodes: a block per tile.
template <int kFloats>
__global__ void __launch_bounds__(NormPlan::kThreads) normalize_kernel(NormalizeForward f, NormPlan plan) {
  const float cut = relu_cut(f.layer.relu);
  const bool evo_norm = f.layer.norm == Norm::kEvoNorm;
  for_each_norm_tile(plan, f.x.rows, [&](const NormTile& tile) {
    const TileThread<kFloats> thread(plan, tile);
    if (!thread.works) return;
    const ChannelTerms<kFloats> terms(f, plan, NormInstance(plan, tile.instance), thread.channel);
    thread.for_each_pixel(plan, tile, [&](std::int64_t pixel, std::int64_t element) {
      auto h = load_channels<kFloats>(f.input.data + element);
      for (int lane = 0; lane < kFloats; ++lane) {
        const float x = h.lane[lane];
        const float numerator = evo_norm ? x * sigmoid(terms.v[lane] * x).value : x - terms.mean[lane];
        h.lane[lane] = numerator * terms.scale[lane] + terms.shift[lane];
      }
      if (f.layer.has_skip) {
        const auto shortcut = load_shortcut<kFloats>(f, pixel, thread.channel);
        for (int lane = 0; lane < kFloats; ++lane) h.lane[lane] += shortcut.lane[lane];
      }
      for (int lane = 0; lane < kFloats; ++lane) h.lane[lane] = h.lane[lane] < cut ? cut : h.lane[lane];
      store_channels(h, f.output.data + element);
    });
  });
}

}  // namespace

void normalize_forward(const Cuda& gpu, const NormalizeForward& forward) {
  check_normalize_forward_shapes(forward);
  check_scratch(forward.layer, forward.x, forward.input, forward.scratch);
  const int channels = forward.layer.shape.channels;
  check_aligned(channels, {forward.input.data, forward.output.data});
  if (forward.layer.skip == forward.layer.shape) check_aligned(channels, {forward.skip.data});
  const int nodes = forward.x.rows;
  const NormPlan plan = norm_plan(forward.layer, forward.input.rows / nodes);
  const bool running = forward.layer.norm == Norm::kBatch && !forward.training;
  with_channel_vectors(channels, [&](auto floats) {
    if (forward.moments.sums.data != nullptr) {
      const std::int64_t parts = divide_up(channels, kMomentChannels);
      launch(gpu, {.blocks = blocks_for(gpu, nodes * parts), .threads = NormPlan::kThreads}, finish_tile_moments_kernel,
             forward, plan);
    } else if (forward.layer.norm != Norm::kNone) {
      if (!running)
        launch(gpu, norm_tiles_shape(gpu, plan, nodes, kMomentSums), sum_moments_kernel<floats()>, forward, plan);
      launch(gpu, norm_instances_shape(gpu, plan, nodes), finish_moments_kernel, forward, plan, running);
    }
    if (forward.output.data == nullptr) return;
    launch(gpu, norm_tiles_shape(gpu, plan, nodes, 0), normalize_kernel<floats()>, forward, plan);
  });
}

}  // namespace sparsepush
