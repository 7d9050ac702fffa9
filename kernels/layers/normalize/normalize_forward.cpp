#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/backend/check.h"
#include "kernels/backend/multiversion.h"
#include "kernels/layers/normalize/channel_rows.h"
#include "kernels/layers/normalize/normalize_terms.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

/// Parameters of one node for all elements of a row of pixels.
struct RowParameters {
  RowParameters(int length, ScratchArrays& scratch)
      : mean(scratch.take<float>(length)),
        scale(scratch.take<float>(length)),
        shift(scratch.take<float>(length)),
        v(scratch.take<float>(length)) {}
  float* mean;   ///< that is subtracted; not by kEvoNorm
  float* scale;  ///< gamma / standard deviation
  float* shift;  ///< beta
  float* v;
};

struct Tile {
  const float *input, *skip;
  float* output;
  int rows, length;
};

template <bool kEvoNorm, bool kSkip>
void apply(const RowParameters& parameters, float cut, const Tile& tile) {
  const float *mean = parameters.mean, *scale = parameters.scale, *shift = parameters.shift, *v = parameters.v;
  for (int i = 0; i < tile.rows; ++i) {
    const std::int64_t first = static_cast<std::int64_t>(i) * tile.length;
    const float *x = tile.input + first, *skip = kSkip ? tile.skip + first : nullptr;
    float* y = tile.output + first;
#pragma GCC ivdep  // the arrays are distinct
    for (int j = 0; j < tile.length; ++j) {
      float h = (kEvoNorm ? x[j] * sigmoid(v[j] * x[j]).value : x[j] - mean[j]) * scale[j] + shift[j];
      if constexpr (kSkip) h += skip[j];
      y[j] = h < cut ? cut : h;
    }
  }
}

/// Adds x - pivot and its square to the sums, four rows at a time to save loads and stores of these.
void add_moments(const Tile& tile, const float* __restrict pivot, float* __restrict sum, float* __restrict square) {
  const float* x = tile.input;
  const int rows = tile.rows, length = tile.length;
  int i = 0;
  for (; i + 4 <= rows; i += 4, x += 4 * length)
    for (int j = 0; j < length; ++j) {
      const float a = x[j] - pivot[j], b = x[j + length] - pivot[j];
      const float c = x[j + 2 * length] - pivot[j], d = x[j + 3 * length] - pivot[j];
      sum[j] += (a + b) + (c + d);
      square[j] += (a * a + b * b) + (c * c + d * d);
    }
  for (; i < rows; ++i, x += length)
    for (int j = 0; j < length; ++j) {
      const float a = x[j] - pivot[j];
      sum[j] += a;
      square[j] += a * a;
    }
}

/// Near the mean of each channel [channels]: that of 8 pixels spread over the instance. Equal pixels give their value.
void find_pivot(const float* x, std::int64_t pixels, int channels, float* pivot) {
  for (int c = 0; c < channels; ++c) {
    const auto at = [&](int i) { return 0.125f * x[pixels * i / 8 * channels + c]; };
    pivot[c] = ((at(0) + at(1)) + (at(2) + at(3))) + ((at(4) + at(5)) + (at(6) + at(7)));
  }
}

struct Moments {
  double mean, variance;
};

class ForwardNode {
 public:
  ForwardNode(const NormalizeForward& forward, int node, ScratchArrays scratch)
      : f_(forward),
        layer_(forward.layer),
        node_(node),
        samples_(forward.input.rows / forward.x.rows),
        groups_(norm_groups(layer_, samples_)),
        rows_(layer_.shape.channels),
        parameters_(rows_.length(), scratch),
        pivot_(scratch.take<float>(rows_.length())),
        sums_(rows_, kSums, scratch),
        moments_(scratch.take<Moments>(groups_.groups)) {}

  /// Cache lines of scratch that it takes.
  static std::int64_t scratch_lines(const NormalizeForward& forward) {
    const ChannelRows rows(forward.layer.shape.channels);
    const NormGroups groups = norm_groups(forward.layer, forward.input.rows / forward.x.rows);
    return 5 * ScratchArrays::lines<float>(rows.length()) + ChannelSums::lines(rows, kSums) +
           ScratchArrays::lines<Moments>(groups.groups);
  }

  void run() {
    set_constant_parameters();
    for (int instance = 0; instance < groups_.instances; ++instance) {
      if (layer_.norm != Norm::kNone) set_statistics(instance);
      for (int s = 0; s < groups_.samples; s += samples_at_once())
        apply_to(static_cast<std::int64_t>(node_) * samples_ + instance * groups_.samples + s);
    }
  }

 private:
  static constexpr int kSums = 2;

  bool uses_option_a() const { return layer_.has_skip && !(layer_.skip == layer_.shape); }
  int samples_at_once() const { return uses_option_a() ? 1 : groups_.samples; }
  bool uses_running_statistics() const { return layer_.norm == Norm::kBatch && !f_.training; }
  const float* input(std::int64_t instance) const {
    return f_.input.row(static_cast<std::int64_t>(node_) * samples_ + instance * groups_.samples);
  }

  /// What no instance changes. Without a norm scale 1 and shift -0 keep every value, zeros with their sign.
  void set_constant_parameters() {
    const float *x = f_.x.row(node_), r = debias_factor(f_.u[node_]);
    for (int c = 0; c < rows_.channels; ++c) {
      parameters_.scale[c] = 1.0f;
      parameters_.shift[c] = layer_.norm == Norm::kNone ? -0.0f : x[layer_.beta + c] * r;
      if (layer_.norm == Norm::kEvoNorm) parameters_.v[c] = x[layer_.v + c] * r;
    }
    rows_.repeat_first_pixel(parameters_.scale);
    rows_.repeat_first_pixel(parameters_.shift);
    rows_.repeat_first_pixel(parameters_.v);
  }

  void set_statistics(int instance) {
    if (uses_running_statistics())
      recall_moments();
    else
      measure_moments(instance);
    const float *x = f_.x.row(node_), r = debias_factor(f_.u[node_]);
    const int width = rows_.channels / groups_.groups;
    for (int g = 0; g < groups_.groups; ++g) {
      const auto mean = static_cast<float>(moments_[g].mean);
      const auto inverse = static_cast<float>(1.0 / std::sqrt(moments_[g].variance + NormalizeLayer::kEpsilon));
      if (f_.training) save(instance, g, mean, inverse);
      for (int c = g * width; c < (g + 1) * width; ++c) {
        parameters_.mean[c] = mean;
        parameters_.scale[c] = x[layer_.gamma + c] * r * inverse;
      }
    }
    rows_.repeat_first_pixel(parameters_.mean);
    rows_.repeat_first_pixel(parameters_.scale);
  }

  void recall_moments() {
    const float* statistics = f_.statistics.row(node_) + layer_.statistics;
    for (int c = 0; c < rows_.channels; ++c) moments_[c] = {statistics[c], statistics[rows_.channels + c]};
  }

  void measure_moments(int instance) {
    const float* x = input(instance);
    find_pivot(x, groups_.pixels, rows_.channels, pivot_);
    rows_.repeat_first_pixel(pivot_);
    sums_.reset();
    rows_.for_each_tile(groups_.pixels, [&](std::int64_t first, int rows, int length) {
      const Tile tile{.input = x + first, .skip = nullptr, .output = nullptr, .rows = rows, .length = length};
      add_moments(tile, pivot_, sums_.row_sum(0), sums_.row_sum(1));
      sums_.added(rows);
    });
    for (int g = 0; g < groups_.groups; ++g) moments_[g] = group_moments(g);
  }

  /// From the sums about the pivots of the group's channels.
  Moments group_moments(int group) {
    const int width = rows_.channels / groups_.groups, first = group * width;
    const double *sum = sums_.total(0) + first, *square = sums_.total(1) + first;
    const double pixels = static_cast<double>(groups_.pixels), count = pixels * width;
    const float* pivot = pivot_ + first;
    const double mean = sum_in_lanes(width, [=](int c) { return pivot[c] * pixels + sum[c]; }) / count;
    const double squares = sum_in_lanes(width, [=](int c) {
      const double offset = mean - pivot[c];
      return square[c] + offset * (pixels * offset - 2 * sum[c]);
    });
    return {mean, squares < 0 ? 0 : squares / count};
  }

  void save(int instance, int group, float mean, float inverse) {
    float* saved = f_.saved.row(node_) + static_cast<std::int64_t>(instance) * groups_.groups + group;
    saved[0] = mean;
    saved[static_cast<std::int64_t>(groups_.instances) * groups_.groups] = inverse;
    if (layer_.norm != Norm::kBatch) return;
    constexpr float kNew = NormalizeLayer::kMomentum, kOld = 1 - kNew;
    const auto pixels = static_cast<double>(groups_.pixels);
    const double bessel = groups_.pixels > 1 ? pixels / (pixels - 1) : 1;
    float* running = f_.statistics.row(node_) + layer_.statistics + group;
    running[0] = kOld * running[0] + kNew * mean;
    running[rows_.channels] =
        kOld * running[rows_.channels] + kNew * static_cast<float>(bessel * moments_[group].variance);
  }

  /// `samples_at_once` samples from `sample` on.
  void apply_to(std::int64_t sample) {
    const float* x = f_.input.row(sample);
    float* y = f_.output.row(sample);
    if (uses_option_a()) take_option_a(f_.skip.row(sample), y);
    const float* skip = uses_option_a() ? y : layer_.has_skip ? f_.skip.row(sample) : nullptr;
    const float cut = relu_cut(layer_.relu);
    const bool evo_norm = layer_.norm == Norm::kEvoNorm;
    rows_.for_each_tile_backwards(
        std::int64_t{samples_at_once()} * layer_.shape.pixels(), [&](std::int64_t first, int rows, int length) {
          const Tile tile{x + first, skip ? skip + first : nullptr, y + first, rows, length};
          if (evo_norm)
            skip ? apply<true, true>(parameters_, cut, tile) : apply<true, false>(parameters_, cut, tile);
          else
            skip ? apply<false, true>(parameters_, cut, tile) : apply<false, false>(parameters_, cut, tile);
        });
  }

  /// The shortcut of one sample.
  void take_option_a(const float* skip, float* shortcut) const {
    const int channels = rows_.channels, quarter = channels / 4;
    for (int y = 0; y < layer_.shape.height; ++y)
      for (int x = 0; x < layer_.shape.width; ++x, shortcut += channels) {
        const std::int64_t pixel = std::int64_t{2} * y * layer_.skip.width + 2 * x;
        std::fill_n(shortcut, quarter, 0.0f);
        std::copy_n(skip + pixel * layer_.skip.channels, 2 * quarter, shortcut + quarter);
        std::fill_n(shortcut + 3 * quarter, quarter, 0.0f);
      }
  }

  const NormalizeForward& f_;
  const NormalizeLayer& layer_;
  int node_, samples_;
  NormGroups groups_;
  ChannelRows rows_;
  RowParameters parameters_;
  float* pivot_;  ///< [length of a row]
  ChannelSums sums_;
  Moments* moments_;  ///< [groups] of the instance
};

}  // namespace

void normalize_forward(const Cpu& cpu, const NormalizeForward& forward) {
  check_normalize_forward_shapes(forward);
  CHECK(forward.moments.sums.data == nullptr && forward.terms.data == nullptr, "moments ", forward.moments.sums,
        " and terms ", forward.terms, " on a Cpu");
  const std::int64_t lines = ForwardNode::scratch_lines(forward);
  cpu.pool().run(forward.x.rows, [&](std::int64_t i, int worker) {
    ForwardNode node(forward, static_cast<int>(i), ScratchArrays(cpu.pool().scratch<CacheLine>(worker, lines)));
    run_vectorized(cpu.vector_level(), [&] { node.run(); });
  });
}

}  // namespace sparsepush
