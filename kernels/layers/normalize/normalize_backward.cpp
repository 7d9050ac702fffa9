#include <algorithm>
#include <cstdint>

#include "kernels/backend/check.h"
#include "kernels/backend/multiversion.h"
#include "kernels/layers/normalize/channel_rows.h"
#include "kernels/layers/normalize/normalize_terms.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

/// gradient = (gradient + skip), and 0 where the ReLU cut off.
template <bool kSkip>
void pass_relu(const float* output, const float* skip, float cut, std::int64_t count, float* gradient) {
#pragma GCC ivdep  // the arrays are distinct
  for (std::int64_t i = 0; i < count; ++i) {
    const float g = kSkip ? gradient[i] + skip[i] : gradient[i];
    gradient[i] = output[i] <= cut ? 0.0f : g;
  }
}

/// Some rows of pixels.
struct Tile {
  const float *x, *g;  ///< the input, and the gradient of h + shortcut
  float* out;          ///< gradient of the input
  int rows, length;
};

/// Adds g and g (x - mean) to the sums, four rows at a time to save loads and stores of these.
void add_products(const Tile& tile, const float* __restrict mean, float* __restrict sum, float* __restrict product) {
  const float *x = tile.x, *g = tile.g;
  const int rows = tile.rows, length = tile.length;
  int i = 0;
  for (; i + 4 <= rows; i += 4, x += 4 * length, g += 4 * length)
    for (int j = 0; j < length; ++j) {
      const int k = j + length, l = k + length, m = l + length;
      sum[j] += (g[j] + g[k]) + (g[l] + g[m]);
      product[j] +=
          (g[j] * (x[j] - mean[j]) + g[k] * (x[k] - mean[j])) + (g[l] * (x[l] - mean[j]) + g[m] * (x[m] - mean[j]));
    }
  for (; i < rows; ++i, x += length, g += length)
    for (int j = 0; j < length; ++j) {
      sum[j] += g[j];
      product[j] += g[j] * (x[j] - mean[j]);
    }
}

struct EvoNormSums {
  float* __restrict beta;   ///< g
  float* __restrict gamma;  ///< g x s, s = sigmoid(v x)
  float* __restrict v;      ///< g x^2 s (1 - s)
};

/// Adds to the sums; out = g scale d(x s)/dx, the input's gradient without that of the variance.
void add_evo_norm(const Tile& tile, const float* __restrict v, const float* __restrict scale, EvoNormSums sums) {
  const float *x = tile.x, *g = tile.g;
  float* direct = tile.out;
  const int length = tile.length;
  for (int i = 0; i < tile.rows; ++i, x += length, g += length, direct += length)
#pragma GCC ivdep  // the arrays are distinct
    for (int j = 0; j < length; ++j) {
      const Sigmoid s = sigmoid(v[j] * x[j]);
      const float gate = x[j] * s.value, slope = gate * s.rest;
      sums.beta[j] += g[j];
      sums.gamma[j] += g[j] * gate;
      sums.v[j] += g[j] * (x[j] * slope);
      direct[j] = g[j] * scale[j] * (s.value + v[j] * slope);
    }
}

/// What the input's gradient is made of, for all elements of a row of pixels: a g + b (x - mean) + c.
struct Terms {
  Terms(int length, ScratchArrays& scratch)
      : mean(scratch.take<float>(length)),
        a(scratch.take<float>(length)),
        b(scratch.take<float>(length)),
        c(scratch.take<float>(length)) {}
  float *mean, *a, *b, *c;
};

/// kAdded: a g stands in `out` already, and there is no c.
template <bool kAdded>
void add_terms(const Terms& terms, const Tile& tile) {
  const float *mean = terms.mean, *a = terms.a, *b = terms.b, *c = terms.c, *x = tile.x, *g = tile.g;
  float* out = tile.out;
  const int length = tile.length;
  for (int i = 0; i < tile.rows; ++i, x += length, g += length, out += length)
#pragma GCC ivdep  // the arrays are distinct
    for (int j = 0; j < length; ++j) {
      const float of_variance = b[j] * (x[j] - mean[j]);
      out[j] = kAdded ? out[j] + of_variance : (a[j] * g[j] + c[j]) + of_variance;
    }
}

class BackwardNode {
 public:
  BackwardNode(const NormalizeBackward& backward, int node, ScratchArrays scratch)
      : b_(backward),
        layer_(backward.layer),
        node_(node),
        samples_(backward.input.rows / backward.x.rows),
        groups_(norm_groups(layer_, samples_)),
        rows_(layer_.shape.channels),
        terms_(rows_.length(), scratch),
        gamma_(scratch.take<float>(rows_.channels)),
        v_(scratch.take<float>(rows_.length())),
        sums_(rows_, kSums, scratch),
        gradients_(scratch.take<double>(std::int64_t{kSums} * rows_.channels)) {}

  /// Cache lines of scratch that it takes.
  static std::int64_t scratch_lines(const NormalizeBackward& backward) {
    const ChannelRows rows(backward.layer.shape.channels);
    return 5 * ScratchArrays::lines<float>(rows.length()) + ScratchArrays::lines<float>(rows.channels) +
           ChannelSums::lines(rows, kSums) + ScratchArrays::lines<double>(std::int64_t{kSums} * rows.channels);
  }

  void run() {
    if (layer_.norm != Norm::kNone) take_parameters(layer_.gamma, gamma_);
    if (is_evo_norm()) take_parameters(layer_.v, v_);
    rows_.repeat_first_pixel(v_);
    for (int instance = 0; instance < groups_.instances; ++instance) run_instance(instance);
    if (layer_.norm == Norm::kNone) return;
    float* gradient = b_.gradient.row(node_);
    for (int c = 0; c < rows_.channels; ++c) {
      gradient[layer_.beta + c] = static_cast<float>(gradients_[c]);
      gradient[layer_.gamma + c] = static_cast<float>(gradients_[rows_.channels + c]);
      if (is_evo_norm()) gradient[layer_.v + c] = static_cast<float>(gradients_[2 * rows_.channels + c]);
    }
  }

 private:
  static constexpr int kSums = 3;

  bool is_evo_norm() const { return layer_.norm == Norm::kEvoNorm; }
  void take_parameters(std::int64_t first, float* to) const {
    const float *x = b_.x.row(node_) + first, r = debias_factor(b_.u[node_]);
    for (int c = 0; c < rows_.channels; ++c) to[c] = x[c] * r;
  }
  std::int64_t first_sample(int instance) const {
    return static_cast<std::int64_t>(node_) * samples_ + static_cast<std::int64_t>(instance) * groups_.samples;
  }
  int width() const { return rows_.channels / groups_.groups; }
  float saved_mean(int instance, int group) const {
    return b_.saved.row(node_)[static_cast<std::int64_t>(instance) * groups_.groups + group];
  }
  float saved_inverse(int instance, int group) const { return saved_mean(groups_.instances + instance, group); }

  void run_instance(int instance) {
    const bool skip = b_.skip_gradient.data != nullptr, identity = skip && b_.skip_shape == layer_.shape;
    if (skip && !identity)
      for (int s = 0; s < groups_.samples; ++s) add_option_a(first_sample(instance) + s);
    if (layer_.norm != Norm::kNone) set_mean_and_scale(instance);
    sums_.reset();
    const std::int64_t sample = first_sample(instance);
    const float *x = b_.input.row(sample), *output = b_.output.row(sample);
    const float* skipped = identity ? b_.skip_gradient.row(sample) : nullptr;
    float *g = b_.output_gradient.row(sample), *out = b_.input_gradient.row(sample);
    const float cut = relu_cut(layer_.relu);
    rows_.for_each_tile(groups_.pixels, [&](std::int64_t first, int rows, int length) {
      const std::int64_t count = static_cast<std::int64_t>(rows) * length;
      if (identity)
        pass_relu<true>(output + first, skipped + first, cut, count, g + first);
      else if (layer_.relu)
        pass_relu<false>(output + first, nullptr, cut, count, g + first);
      add_to_sums({x + first, g + first, out + first, rows, length});
    });
    if (layer_.norm == Norm::kNone) return;
    finish_sums(instance);
    rows_.for_each_tile_backwards(groups_.pixels, [&](std::int64_t first, int rows, int length) {
      const Tile tile{x + first, g + first, out + first, rows, length};
      if (is_evo_norm())
        add_terms<true>(terms_, tile);
      else
        add_terms<false>(terms_, tile);
    });
  }

  void set_mean_and_scale(int instance) {
    for (int g = 0; g < groups_.groups; ++g) {
      const float mean = saved_mean(instance, g), inverse = saved_inverse(instance, g);
      for (int c = g * width(); c < (g + 1) * width(); ++c) {
        terms_.mean[c] = mean;
        terms_.a[c] = gamma_[c] * inverse;
      }
    }
    rows_.repeat_first_pixel(terms_.mean);
    rows_.repeat_first_pixel(terms_.a);
  }

  void add_to_sums(const Tile& tile) {
    if (layer_.norm == Norm::kNone) {
      std::copy_n(tile.g, static_cast<std::int64_t>(tile.rows) * tile.length, tile.out);
      return;
    }
    if (is_evo_norm())
      add_evo_norm(tile, v_, terms_.a, {sums_.row_sum(0), sums_.row_sum(1), sums_.row_sum(2)});
    else
      add_products(tile, terms_.mean, sums_.row_sum(0), sums_.row_sum(1));
    sums_.added(tile.rows);
  }

  /// Adds to the gradients of parameters, and sets the terms b and c.
  void finish_sums(int instance) {
    const double *beta = sums_.total(0), *gamma = sums_.total(1), *v = sums_.total(2);
    const int channels = rows_.channels;
    const double count = static_cast<double>(groups_.pixels) * width();
    for (int g = 0; g < groups_.groups; ++g) {
      const double inverse = saved_inverse(instance, g);
      const int first = g * width();
      const float* scale = gamma_ + first;
      for (int c = first; c < first + width(); ++c) {
        gradients_[c] += beta[c];
        gradients_[channels + c] += inverse * gamma[c];
        gradients_[2 * channels + c] += inverse * gamma_[c] * v[c];
      }
      const double beta_sum = sum_in_lanes(width(), [=](int c) { return scale[c] * beta[first + c]; });
      const double gamma_sum = sum_in_lanes(width(), [=](int c) { return scale[c] * gamma[first + c]; });
      std::fill_n(terms_.b + g * width(), width(),
                  static_cast<float>(-inverse * inverse * inverse * gamma_sum / count));
      std::fill_n(terms_.c + g * width(), width(), static_cast<float>(-inverse * beta_sum / count));
    }
    rows_.repeat_first_pixel(terms_.b);
    rows_.repeat_first_pixel(terms_.c);
  }

  /// The gradient that comes to one sample through a later layer's shortcut.
  void add_option_a(std::int64_t sample) const {
    const ImageShape &ours = layer_.shape, &theirs = b_.skip_shape;
    const float* from = b_.skip_gradient.row(sample) + ours.channels / 2;
    float* to = b_.output_gradient.row(sample);
    for (int y = 0; y < theirs.height; ++y)
      for (int x = 0; x < theirs.width; ++x, from += theirs.channels) {
        float* pixel = to + (std::int64_t{2} * y * ours.width + 2 * x) * ours.channels;
        for (int c = 0; c < ours.channels; ++c) pixel[c] += from[c];
      }
  }

  const NormalizeBackward& b_;
  const NormalizeLayer& layer_;
  int node_, samples_;
  NormGroups groups_;
  ChannelRows rows_;
  Terms terms_;
  float* gamma_;       ///< [channels]
  float* v_;           ///< [length of a row]
  ChannelSums sums_;   ///< as in EvoNormSums, or of g and g (x - mean)
  double* gradients_;  ///< [kSums, channels] of beta, gamma and v
};

}  // namespace

void normalize_backward(const Cpu& cpu, const NormalizeBackward& backward) {
  check_normalize_backward_shapes(backward);
  CHECK(backward.sums.sums.data == nullptr, "sums ", backward.sums.sums, " on a Cpu");
  const std::int64_t lines = BackwardNode::scratch_lines(backward);
  cpu.pool().run(backward.x.rows, [&](std::int64_t i, int worker) {
    BackwardNode node(backward, static_cast<int>(i), ScratchArrays(cpu.pool().scratch<CacheLine>(worker, lines)));
    run_vectorized(cpu.vector_level(), [&] { node.run(); });
  });
}

}  // namespace sparsepush
