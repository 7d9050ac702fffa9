#include "kernels/layers/normalize/normalize_tiles.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

// Sums of a channel, from which the gradients of its beta, gamma and v follow.
constexpr int kSums = 2;         // of g, g (x - mean)
constexpr int kEvoNormSums = 3;  // of g, g x s, g x^2 s (1 - s), s = sigmoid(v x)

__device__ float parameter(const NormalizeBackward& b, std::int64_t node, std::int64_t first, int channel) {
  return b.x.row(node)[first + channel] * debias_factor(b.u[node]);
}

/// Adds what comes to a pixel through a later layer's shortcut.
template <int kFloats>
__device__ void add_shortcut(const NormalizeBackward& b, std::int64_t pixel, int channel,
                             ChannelVector<kFloats>& gradient) {
  const ImageShape &ours = b.layer.shape, &theirs = b.skip_shape;
  if (ours == theirs) {
    const auto added = load_channels<kFloats>(b.skip_gradient.data + pixel * ours.channels + channel);
    for (int lane = 0; lane < kFloats; ++lane) gradient.lane[lane] += added.lane[lane];
    return;
  }
  const PixelPlace at(ours, pixel);
  if (at.y % 2 == 1 || at.x % 2 == 1) return;
  const float* from = b.skip_gradient.row(at.sample) + (at.y / 2 * theirs.width + at.x / 2) * theirs.channels +
                      ours.channels / 2 + channel;
  for (int lane = 0; lane < kFloats; ++lane) gradient.lane[lane] += from[lane];
}

/// The gradient of h + shortcut at a pixel's channels, which takes the place of the output's.
template <int kFloats>
__device__ ChannelVector<kFloats> pass_relu(const NormalizeBackward& b, std::int64_t pixel, std::int64_t element,
                                            int channel) {
  auto g = load_channels<kFloats>(b.output_gradient.data + element);
  const bool shortcut = b.skip_gradient.data != nullptr;
  if (shortcut) add_shortcut<kFloats>(b, pixel, channel, g);
  if (b.layer.relu) {
    const auto output = load_channels<kFloats>(b.output.data + element);
    for (int lane = 0; lane < kFloats; ++lane) g.lane[lane] = output.lane[lane] <= 0.0f ? 0.0f : g.lane[lane];
  }
  if (shortcut || b.layer.relu) store_channels(g, b.output_gradient.data + element);
  return g;
}

/// Without a norm: a block per tile of all nodes.
template <int kFloats>
__global__ void __launch_bounds__(NormPlan::kThreads) pass_gradient_kernel(NormalizeBackward b, NormPlan plan) {
  for_each_norm_tile(plan, b.x.rows, [&](const NormTile& tile) {
    const TileThread<kFloats> thread(plan, tile);
    thread.for_each_pixel(plan, tile, [&](std::int64_t pixel, std::int64_t element) {
      store_channels(pass_relu<kFloats>(b, pixel, element, thread.channel), b.input_gradient.data + element);
    });
  });
}

/// The sums of every tile of all nodes, and the gradient of h + shortcut: a block per tile.
template <int kFloats>
__global__ void __launch_bounds__(NormPlan::kThreads) sum_gradients_kernel(NormalizeBackward b, NormPlan plan) {
  for_each_norm_tile(plan, b.x.rows, [&](const NormTile& tile) {
    const TileThread<kFloats> thread(plan, tile);
    const NormInstance instance(plan, tile.instance);
    ChannelVector<kFloats> mean = {}, sum[kSums] = {};
    if (thread.works)
      for (int lane = 0; lane < kFloats; ++lane)
        mean.lane[lane] =
            b.saved.row(instance.node)[instance.saved_mean(plan, (thread.channel + lane) / plan.group_channels())];
    thread.for_each_pixel(plan, tile, [&](std::int64_t pixel, std::int64_t element) {
      const auto x = load_channels<kFloats>(b.input.data + element);
      const auto g = pass_relu<kFloats>(b, pixel, element, thread.channel);
      for (int lane = 0; lane < kFloats; ++lane) {
        sum[0].lane[lane] += g.lane[lane];
        sum[1].lane[lane] += g.lane[lane] * (x.lane[lane] - mean.lane[lane]);
      }
    });
    write_tile_sums(plan, tile, sum, instance.sums(plan, b.scratch) + tile.number * kSums * plan.channels);
  });
}

/// The same for kEvoNorm.
template <int kFloats>
__global__ void __launch_bounds__(NormPlan::kThreads)
    sum_evo_norm_gradients_kernel(NormalizeBackward b, NormPlan plan) {
  for_each_norm_tile(plan, b.x.rows, [&](const NormTile& tile) {
    const TileThread<kFloats> thread(plan, tile);
    const NormInstance instance(plan, tile.instance);
    ChannelVector<kFloats> v = {}, sum[kEvoNormSums] = {};
    if (thread.works)
      for (int lane = 0; lane < kFloats; ++lane)
        v.lane[lane] = parameter(b, instance.node, b.layer.v, thread.channel + lane);
    thread.for_each_pixel(plan, tile, [&](std::int64_t pixel, std::int64_t element) {
      const auto x = load_channels<kFloats>(b.input.data + element);
      const auto g = pass_relu<kFloats>(b, pixel, element, thread.channel);
      for (int lane = 0; lane < kFloats; ++lane) {
        const Sigmoid s = sigmoid(v.lane[lane] * x.lane[lane]);
        const float gate = x.lane[lane] * s.value;
        sum[0].lane[lane] += g.lane[lane];
        sum[1].lane[lane] += g.lane[lane] * gate;
        sum[2].lane[lane] += g.lane[lane] * (x.lane[lane] * (gate * s.rest));
      }
    });
    write_tile_sums(plan, tile, sum, instance.sums(plan, b.scratch) + tile.number * kEvoNormSums * plan.channels);
  });
}

/// Returns the sums of an instance's tiles, of which the first stands for all once they are added up.
__device__ double* sums_of(const NormalizeBackward& b, const NormPlan& plan, const NormInstance& instance) {
  return b.sums.sums.data == nullptr ? instance.sums(plan, b.scratch) : b.sums.sums.row(instance.node);
}

/// A block per instance: adds up what its tiles have summed, and writes of every group, a few threads each, what its
/// input's gradients have in common: that of the variance, to be multiplied by x - mean, and that of the mean.
__global__ void __launch_bounds__(NormPlan::kThreads) finish_gradients_kernel(NormalizeBackward b, NormPlan plan) {
  for (std::int64_t i = blockIdx.x; i < static_cast<std::int64_t>(b.x.rows) * plan.groups.instances; i += gridDim.x) {
    const NormInstance instance(plan, i);
    double* sums = sums_of(b, plan, instance);
    add_tiles(b.sums.sums.data == nullptr ? plan.tiles : b.sums.tiles, plan.sums * plan.channels, sums);
    const double values = static_cast<double>(plan.groups.pixels) * plan.group_channels();
    for_each_group(plan, [&](int group, int first, int count, bool writes) {
      const auto weighted = [&](const double* of_channel) {
        return sum_of_group(plan, first, count, [&](int c) {
          return static_cast<double>(parameter(b, instance.node, b.layer.gamma, c)) * of_channel[c];
        });
      };
      const double beta = weighted(sums), gamma = weighted(sums + plan.channels);
      if (!writes) return;
      const double inverse = b.saved.row(instance.node)[instance.saved_inverse(plan, group)];
      double* terms = instance.terms(plan, b.scratch, group);
      terms[0] = -inverse * inverse * inverse * gamma / values;
      terms[1] = -inverse * beta / values;
    });
  }
}

/// What a thread's channels multiply: the input's gradient is a g + variance (x - mean) + mean's.
template <int kFloats>
struct GradientTerms {
  float mean[kFloats], scale[kFloats], of_variance[kFloats], of_mean[kFloats], v[kFloats];

  __device__ GradientTerms(const NormalizeBackward& b, const NormPlan& plan, const NormInstance& instance,
                           int channel) {
    const float* saved = b.saved.row(instance.node);
    for (int lane = 0; lane < kFloats; ++lane) {
      const int c = channel + lane, group = c / plan.group_channels();
      const double* terms = instance.terms(plan, b.scratch, group);
      mean[lane] = saved[instance.saved_mean(plan, group)];
      scale[lane] = parameter(b, instance.node, b.layer.gamma, c) * saved[instance.saved_inverse(plan, group)];
      of_variance[lane] = static_cast<float>(terms[0]);
      of_mean[lane] = static_cast<float>(terms[1]);
      v[lane] = b.layer.norm == Norm::kEvoNorm ? parameter(b, instance.node, b.layer.v, c) : 0.0f;
    }
  }
};

/// The gradients of a node's parameters of one channel: sums of its instances in order.
__device__ void write_parameter_gradients(const NormalizeBackward& b, const NormPlan& plan, std::int64_t node,
                                          int channel) {
  const bool evo_norm = b.layer.norm == Norm::kEvoNorm;
  const float scale = parameter(b, node, b.layer.gamma, channel);
  double beta = 0, gamma = 0, v = 0;
  for (int i = 0; i < plan.groups.instances; ++i) {
    const NormInstance instance(plan, node * plan.groups.instances + i);
    const double* sums = sums_of(b, plan, instance) + channel;
    const double inverse = b.saved.row(node)[instance.saved_inverse(plan, channel / plan.group_channels())];
    beta += sums[0];
    gamma += inverse * sums[plan.channels];
    if (evo_norm) v += inverse * static_cast<double>(scale) * sums[2 * plan.channels];
  }
  float* gradient = b.gradient.row(node) + channel;
  gradient[b.layer.beta] = static_cast<float>(beta);
  gradient[b.layer.gamma] = static_cast<float>(gamma);
  if (evo_norm) gradient[b.layer.v] = static_cast<float>(v);
}

/// The input's gradient of every tile of all nodes, a block per tile; then the parameters', a thread per (node,
/// channel) in strides of the grid.
template <int kFloats>
__global__ void __launch_bounds__(NormPlan::kThreads) normalize_gradients_kernel(NormalizeBackward b, NormPlan plan) {
  const bool evo_norm = b.layer.norm == Norm::kEvoNorm;
  for_each_norm_tile(plan, b.x.rows, [&](const NormTile& tile) {
    const TileThread<kFloats> thread(plan, tile);
    if (!thread.works) return;
    const GradientTerms<kFloats> terms(b, plan, NormInstance(plan, tile.instance), thread.channel);
    thread.for_each_pixel(plan, tile, [&](std::int64_t, std::int64_t element) {
      const auto input = load_channels<kFloats>(b.input.data + element);
      auto g = load_channels<kFloats>(b.output_gradient.data + element);
      for (int lane = 0; lane < kFloats; ++lane) {
        const float x = input.lane[lane], direct = g.lane[lane] * terms.scale[lane];
        const float of_variance = terms.of_variance[lane] * (x - terms.mean[lane]);
        if (evo_norm) {
          const Sigmoid s = sigmoid(terms.v[lane] * x);
          g.lane[lane] = direct * (s.value + terms.v[lane] * (x * s.value * s.rest)) + of_variance;
        } else {
          g.lane[lane] = direct + terms.of_mean[lane] + of_variance;
        }
      }
      store_channels(g, b.input_gradient.data + element);
    });
  });
  for (std::int64_t i = grid_thread(); i < static_cast<std::int64_t>(b.x.rows) * plan.channels; i += grid_threads())
    write_parameter_gradients(b, plan, i / plan.channels, static_cast<int>(i % plan.channels));
}

}  // namespace

void normalize_backward(const Cuda& gpu, const NormalizeBackward& backward) {
  check_normalize_backward_shapes(backward);
  check_scratch(backward.layer, backward.x, backward.input, backward.scratch);
  check_aligned(backward.layer.shape.channels, {backward.input.data, backward.output.data,
                                                backward.output_gradient.data, backward.input_gradient.data});
  if (backward.skip_shape == backward.layer.shape)
    check_aligned(backward.layer.shape.channels, {backward.skip_gradient.data});
  const int nodes = backward.x.rows;
  const NormPlan plan = norm_plan(backward.layer, backward.input.rows / nodes);
  with_channel_vectors(plan.channels, [&](auto floats) {
    if (backward.layer.norm == Norm::kNone)
      return launch(gpu, norm_tiles_shape(gpu, plan, nodes, 0), pass_gradient_kernel<floats()>, backward, plan);
    const auto sum_kernel = backward.layer.norm == Norm::kEvoNorm ? sum_evo_norm_gradients_kernel<floats()>
                                                                  : sum_gradients_kernel<floats()>;
    if (backward.sums.sums.data == nullptr)
      launch(gpu, norm_tiles_shape(gpu, plan, nodes, plan.sums), sum_kernel, backward, plan);
    launch(gpu, norm_instances_shape(gpu, plan, nodes), finish_gradients_kernel, backward, plan);
    launch(gpu, norm_tiles_shape(gpu, plan, nodes, 0), normalize_gradients_kernel<floats()>, backward, plan);
  });
}

}  // namespace sparsepush
