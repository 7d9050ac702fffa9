// Inputs of the normalization ops, and what they compute by the definition, in double.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/layers/normalize/normalize.h"

namespace sparsepush {

inline std::vector<float> sines(std::size_t count, float first, float scale = 1, float offset = 0) {
  std::vector<float> v(count);
  for (std::size_t i = 0; i < count; ++i)
    v[i] = offset + scale * (std::sin(first + 1.7f * static_cast<float>(i)) + std::sin(0.37f * static_cast<float>(i)));
  return v;
}

enum class Shortcut { kNone, kIdentity, kOptionA };

/// The skip tensor that gives `to` by option A, of odd sides.
inline ImageShape before_option_a(const ImageShape& to) {
  return {2 * to.height - 1, 2 * to.width - 1, to.channels / 2};
}
inline ImageShape after_option_a(const ImageShape& from) {
  return {(from.height + 1) / 2, (from.width + 1) / 2, 2 * from.channels};
}

/// Shortcut of one sample by the definition.
inline std::vector<double> shortcut(const double* skip, const ImageShape& from, const ImageShape& to) {
  if (from == to) return {skip, skip + from.size()};
  std::vector<double> result(to.size(), 0.0);
  for (int y = 0; y < to.height; ++y)
    for (int x = 0; x < to.width; ++x)
      for (int c = 0; c < from.channels; ++c)
        result[(y * to.width + x) * to.channels + to.channels / 4 + c] =
            skip[(2 * y * from.width + 2 * x) * from.channels + c];
  return result;
}

struct NormalizeCase {
  NormalizeCase(Norm norm, ImageShape shape, int groups, int case_samples, int case_nodes, bool relu = true,
                Shortcut skip = Shortcut::kNone, Shortcut later = Shortcut::kNone)
      : samples(case_samples), nodes(case_nodes) {
    const int channels = shape.channels;
    layer = {.norm = norm,
             .shape = shape,
             .groups = groups,
             .relu = relu,
             .has_skip = skip != Shortcut::kNone,
             .skip = skip == Shortcut::kOptionA ? before_option_a(shape) : shape,
             .gamma = 3,
             .beta = 5 + channels,
             .v = 6 + 2 * channels,
             .statistics = 2};
    later_shape = later == Shortcut::kOptionA ? after_option_a(shape) : shape;
    has_later = later != Shortcut::kNone;
    row = 7 + 3 * channels;
    const std::size_t count = static_cast<std::size_t>(nodes) * samples;
    x = sines(static_cast<std::size_t>(nodes) * row, 0.3f, 0.4f, 0.3f);
    input = sines(count * shape.size(), 1.1f, 1.0f, 0.2f);
    skip_input = sines(count * layer.skip.size(), 2.2f);
    output_gradient = sines(count * shape.size(), 3.3f);
    skip_gradient = sines(count * later_shape.size(), 4.4f);
    statistics = sines(static_cast<std::size_t>(nodes) * statistics_row(), 5.5f, 0.3f, 0.9f);
    for (int node = 0; node < nodes; ++node) u.push_back(std::vector<double>{0.5, 1, 3}[node % 3]);
  }

  int statistics_row() const { return 5 + 2 * layer.shape.channels; }
  int saved_row() const { return static_cast<int>(layer.saved(samples)) + 1; }
  /// A row is longer than it needs to be.
  template <class Backend>
  Buffer<Backend, double> unset_scratch(const Backend& backend) const {
    const int cols = static_cast<int>(layer.scratch(samples)) + 1;
    return {backend, nodes, cols, std::vector<double>(static_cast<std::size_t>(nodes) * cols, std::nan(""))};
  }
  int node_size() const { return samples * layer.shape.size(); }
  std::string name() const {
    return "norm " + std::to_string(static_cast<int>(layer.norm)) + ", " + std::to_string(layer.shape.height) + " x " +
           std::to_string(layer.shape.width) + " x " + std::to_string(layer.shape.channels) + ", groups " +
           std::to_string(layer.groups) + ", samples " + std::to_string(samples) + ", nodes " + std::to_string(nodes) +
           ", relu " + std::to_string(layer.relu) + ", skip " + std::to_string(layer.has_skip) +
           (layer.skip == layer.shape ? "" : "A") + ", later " + std::to_string(has_later) +
           (later_shape == layer.shape ? "" : "A");
  }

  struct Forward {
    std::vector<float> output, saved, statistics;
  };
  struct Backward {
    std::vector<float> output_gradient, gradient, input_gradient;
  };
  /// run(NormalizeForward) calls the op.
  template <class Backend, class Run>
  Forward forward(const Backend& backend, const Run& run) const {
    const Buffer<Backend, float> parameters(backend, nodes, row, x);
    const Buffer<Backend, double> weights(backend, u);
    const Buffer<Backend, float> from(backend, nodes * samples, layer.shape.size(), input);
    const Buffer<Backend, float> skip(backend, nodes * samples, layer.skip.size(), skip_input);
    const Buffer<Backend, float> output(backend, nodes * samples, layer.shape.size(),
                                        std::vector<float>(input.size(), 77));
    const Buffer<Backend, float> saved(backend, nodes, saved_row(), std::vector<float>(nodes * saved_row(), 88));
    const Buffer<Backend, float> running(backend, nodes, statistics_row(), statistics);
    const Buffer<Backend, double> scratch = unset_scratch(backend);
    run(NormalizeForward{.layer = layer,
                         .x = parameters.view(),
                         .u = weights.span(),
                         .input = from.view(),
                         .skip = layer.has_skip ? skip.view() : MatrixView<float>{},
                         .output = output.view(),
                         .saved = saved.view(),
                         .statistics = running.view(),
                         .scratch = scratch.view(),
                         .training = training});
    return {output.to_host(), saved.to_host(), running.to_host()};
  }
  template <class Backend, class Run>
  Backward backward(const Backend& backend, const Forward& forward, const Run& run) const {
    const Buffer<Backend, float> parameters(backend, nodes, row, x);
    const Buffer<Backend, double> weights(backend, u);
    const Buffer<Backend, float> from(backend, nodes * samples, layer.shape.size(), input);
    const Buffer<Backend, float> output(backend, nodes * samples, layer.shape.size(), forward.output);
    const Buffer<Backend, float> saved(backend, nodes, saved_row(), forward.saved);
    const Buffer<Backend, float> outputs(backend, nodes * samples, layer.shape.size(), output_gradient);
    const Buffer<Backend, float> later(backend, nodes * samples, later_shape.size(), skip_gradient);
    const Buffer<Backend, float> gradient(backend, nodes, row, std::vector<float>(nodes * row, 99));
    const Buffer<Backend, float> inputs(backend, nodes * samples, layer.shape.size(),
                                        std::vector<float>(input.size(), 66));
    const Buffer<Backend, double> scratch = unset_scratch(backend);
    run(NormalizeBackward{.layer = layer,
                          .x = parameters.view(),
                          .u = weights.span(),
                          .input = from.view(),
                          .output = output.view(),
                          .saved = saved.view(),
                          .output_gradient = outputs.view(),
                          .skip_gradient = has_later ? later.view() : MatrixView<float>{},
                          .skip_shape = later_shape,
                          .gradient = gradient.view(),
                          .input_gradient = inputs.view(),
                          .scratch = scratch.view()});
    return {outputs.to_host(), gradient.to_host(), inputs.to_host()};
  }

  NormalizeLayer layer;
  int samples, nodes, row;
  bool training = true, has_later;
  ImageShape later_shape;
  std::vector<float> x, input, skip_input, output_gradient, skip_gradient, statistics;
  std::vector<double> u;
};

/// Calls the ops; the backward pass after a forward one.
template <class Backend>
NormalizeCase::Forward forward(const Backend& backend, const NormalizeCase& c) {
  return c.forward(backend, [&](const NormalizeForward& f) { normalize_forward(backend, f); });
}
template <class Backend>
NormalizeCase::Backward backward(const Backend& backend, const NormalizeCase& c) {
  return c.backward(backend, forward(backend, c), [&](const NormalizeBackward& b) { normalize_backward(backend, b); });
}

/// One node of a case in double, to be changed at will.
struct NormalizeNode {
  NormalizeNode(const NormalizeCase& c, int node) : c(c), layer(c.layer) {
    const auto part = [&](const std::vector<float>& all) {
      const std::size_t size = all.size() / c.nodes;
      return std::vector<double>(all.begin() + node * size, all.begin() + (node + 1) * size);
    };
    z = part(c.x);
    for (double& v : z) v *= static_cast<float>(1.0 / c.u[node]);
    input = part(c.input), skip = part(c.skip_input), output_gradient = part(c.output_gradient);
    skip_gradient = part(c.skip_gradient), statistics = part(c.statistics);
  }

  int channel(int i) const { return i % layer.shape.channels; }
  double gamma(int i) const { return z[layer.gamma + channel(i)]; }
  double beta(int i) const { return z[layer.beta + channel(i)]; }
  double v(int i) const { return z[layer.v + channel(i)]; }
  double gate(int i) const { return 1 / (1 + std::exp(-v(i) * input[i])); }

  /// Elements that share a mean and a variance, in the order of saved statistics.
  std::vector<std::vector<int>> sets() const {
    const int channels = layer.shape.channels;
    const bool batch = layer.norm == Norm::kBatch;
    const int groups = batch ? channels : layer.groups, width = channels / groups;
    std::vector<std::vector<int>> result(batch ? channels : c.samples * groups);
    for (int i = 0; i < c.node_size(); ++i) {
      const int sample = i / layer.shape.size();
      result[(batch ? 0 : sample * groups) + channel(i) / width].push_back(i);
    }
    return result;
  }
  double mean(const std::vector<int>& set) const {
    double sum = 0;
    for (const int i : set) sum += input[i];
    return sum / static_cast<double>(set.size());
  }
  double variance(const std::vector<int>& set) const {
    const double m = mean(set);
    double sum = 0;
    for (const int i : set) sum += (input[i] - m) * (input[i] - m);
    return sum / static_cast<double>(set.size());
  }

  /// h + shortcut.
  std::vector<double> sum() const {
    std::vector<double> h = input;
    if (layer.norm != Norm::kNone)
      for (const std::vector<int>& set : sets()) {
        const bool running = layer.norm == Norm::kBatch && !c.training;
        const double* recalled = &statistics[layer.statistics + channel(set[0])];
        const double m = running ? recalled[0] : mean(set);
        const double std =
            std::sqrt((running ? recalled[layer.shape.channels] : variance(set)) + NormalizeLayer::kEpsilon);
        for (const int i : set)
          h[i] = gamma(i) * (layer.norm == Norm::kEvoNorm ? input[i] * gate(i) : input[i] - m) / std + beta(i);
      }
    if (layer.has_skip)
      for (int s = 0; s < c.samples; ++s) {
        const std::vector<double> added = shortcut(&skip[s * layer.skip.size()], layer.skip, layer.shape);
        for (int i = 0; i < layer.shape.size(); ++i) h[s * layer.shape.size() + i] += added[i];
      }
    return h;
  }
  std::vector<double> output() const {
    std::vector<double> y = sum();
    if (layer.relu)
      for (double& v : y) v = v < 0 ? 0 : v;
    return y;
  }
  /// What the gradients are those of.
  double loss() const {
    const std::vector<double> y = output();
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * output_gradient[i];
    if (c.has_later)
      for (int s = 0; s < c.samples; ++s) {
        const std::vector<double> added = shortcut(&y[s * layer.shape.size()], layer.shape, c.later_shape);
        for (int i = 0; i < c.later_shape.size(); ++i) sum += added[i] * skip_gradient[s * c.later_shape.size() + i];
      }
    return sum;
  }
  double loss_slope(double& value) {
    constexpr double kStep = 1e-6;
    const double before = value;
    value = before + kStep;
    const double above = loss();
    value = before - kStep;
    const double below = loss();
    value = before;
    return (above - below) / (2 * kStep);
  }

  const NormalizeCase& c;
  const NormalizeLayer& layer;
  std::vector<double> z, input, skip, output_gradient, skip_gradient, statistics;
};

/// The chain rule step by step: gradients of `loss`.
struct NormalizeGradients {
  explicit NormalizeGradients(const NormalizeNode& node) : of_sum(node.output_gradient), of_z(node.z.size(), 99.0) {
    const NormalizeLayer& layer = node.layer;
    add_later(node);
    const std::vector<double> h = node.sum();
    for (std::size_t i = 0; i < h.size(); ++i)
      if (layer.relu && h[i] <= 0) of_sum[i] = 0;
    of_input = of_sum;
    if (layer.norm == Norm::kNone) return;
    for (int c = 0; c < layer.shape.channels; ++c) {
      of_z[layer.gamma + c] = of_z[layer.beta + c] = 0;
      if (layer.norm == Norm::kEvoNorm) of_z[layer.v + c] = 0;
    }
    for (const std::vector<int>& set : node.sets()) add_set(node, set);
  }
  std::vector<double> of_sum, of_z, of_input;

 private:
  void add_later(const NormalizeNode& node) {
    if (!node.c.has_later) return;
    const ImageShape &ours = node.layer.shape, &theirs = node.c.later_shape;
    for (int i = 0; i < node.c.node_size(); ++i) {
      const int sample = i / ours.size(), pixel = i % ours.size() / ours.channels, c = i % ours.channels;
      const int y = pixel / ours.width, x = pixel % ours.width;
      if (ours == theirs)
        of_sum[i] += node.skip_gradient[i];
      else if (y % 2 == 0 && x % 2 == 0)
        of_sum[i] += node.skip_gradient[sample * theirs.size() + (y / 2 * theirs.width + x / 2) * theirs.channels +
                                        ours.channels / 2 + c];
    }
  }
  void add_set(const NormalizeNode& node, const std::vector<int>& set) {
    const NormalizeLayer& layer = node.layer;
    const bool evo_norm = layer.norm == Norm::kEvoNorm;
    const double mean = node.mean(set), inverse = 1 / std::sqrt(node.variance(set) + NormalizeLayer::kEpsilon);
    const auto numerator = [&](int i) { return evo_norm ? node.input[i] * node.gate(i) : node.input[i] - mean; };
    double of_inverse = 0, of_mean = 0;
    for (const int i : set) {
      const int c = node.channel(i);
      const double of_numerator = of_sum[i] * node.gamma(i) * inverse, x = node.input[i];
      of_inverse += of_sum[i] * node.gamma(i) * numerator(i);
      of_z[layer.beta + c] += of_sum[i];
      of_z[layer.gamma + c] += of_sum[i] * numerator(i) * inverse;
      if (evo_norm) {
        const double slope = node.gate(i) * (1 - node.gate(i));
        of_z[layer.v + c] += of_numerator * x * x * slope;
        of_input[i] = of_numerator * (node.gate(i) + x * node.v(i) * slope);
      } else {
        of_mean -= of_numerator;
        of_input[i] = of_numerator;
      }
    }
    const double of_variance = -0.5 * inverse * inverse * inverse * of_inverse, size = static_cast<double>(set.size());
    for (const int i : set) of_input[i] += (of_mean + of_variance * 2 * (node.input[i] - mean)) / size;
  }
};

}  // namespace sparsepush
