// A convolution's arrays as operands of matrix products, read where they stand: for .cu files only.
#pragma once
#include "kernels/backend/divisor.h"
#include "kernels/backend/quad.h"
#include "kernels/layers/conv2d/pixel_grid.h"

namespace sparsepush {

/// What the taps at each pixel of a grid meet: an element per (pixel of a sample, (tap, channel)), zero beyond the
/// image.
struct Patches {
  /// What an element's address needs of its pixel or of its tap and channel: it is where their sums point to.
  struct Part {
    int y, x, offset;
  };
  static constexpr int kOutside = -(1 << 30);  ///< a y so low that none of a tap leads back to the image

  const float* image;  ///< [samples, y.length, x.length, channels]
  GridAxis y, x;
  Divisor channels;
  int pixels;  ///< of all samples
  int terms;   ///< taps times channels
  bool quads;  ///< channels come in aligned quads

  constexpr Part of_pixel(int p) const {
    if (p >= pixels) return {kOutside, 0, 0};
    const GridPixel at = grid_pixel(y, x, p);
    const int in_y = at.y * y.step + y.first, in_x = at.x * x.step + x.first;
    return {in_y, in_x, ((at.sample * y.length + in_y) * x.length + in_x) * channels.value()};
  }
  constexpr Part of_term(int k) const {
    if (k >= terms) return {kOutside, 0, 0};
    const int tap = channels.divide(k), tap_y = x.taps.divide(tap), tap_x = tap - tap_y * x.taps.value();
    const int in_y = y.direction * tap_y, in_x = x.direction * tap_x;
    return {in_y, in_x, (in_y * x.length + in_x) * channels.value() + k - tap * channels.value()};
  }
  constexpr bool is_inside(const Part& a, const Part& b) const {
    return static_cast<unsigned>(a.y + b.y) < static_cast<unsigned>(y.length) &&
           static_cast<unsigned>(a.x + b.x) < static_cast<unsigned>(x.length);
  }
  constexpr float at(const Part& a, const Part& b) const { return is_inside(a, b) ? image[a.offset + b.offset] : 0.0f; }
  __device__ Quad quad_at(const Part& a, const Part& b) const {
    return is_inside(a, b) ? load_quad(image + a.offset + b.offset, 0) : Quad{};
  }
};

/// The operand whose vectors are pixels.
struct PatchRows : Patches {
  static constexpr bool kTermsAdjoin = true;
  static constexpr int kRun = 4;
  int count, depth;

  explicit constexpr PatchRows(const Patches& patches)
      : Patches(patches), count(patches.pixels), depth(patches.terms) {}
  constexpr Part vector(int v) const { return of_pixel(v); }
  constexpr Part term(int k) const { return of_term(k); }
};

/// The operand whose vectors are taps and channels, whose terms are pixels from `begin` on, and which may have a last
/// vector of ones: sums without a factor, as a bias's gradient is one.
struct PatchColumns : Patches {
  static constexpr bool kTermsAdjoin = false;
  static constexpr int kRun = 4;
  static constexpr int kOnes = 1 << 30;
  int begin, count, depth;

  constexpr PatchColumns(const Patches& patches, int begin, int count)
      : Patches(patches), begin(begin), count(count), depth(patches.pixels - begin) {}
  constexpr Part vector(int v) const { return v == terms && v < count ? Part{kOnes, 0, 0} : of_term(v); }
  constexpr Part term(int k) const { return of_pixel(begin + k); }
  constexpr float at(const Part& v, const Part& k) const { return v.y == kOnes ? 1.0f : Patches::at(v, k); }
  __device__ Quad quad_at(const Part& v, const Part& k) const {
    return v.y == kOnes ? Quad{{1, 1, 1, 1}} : Patches::quad_at(v, k);
  }
};

/// How far apart weights stand in a row.
struct WeightStrides {
  int vector, channel;  ///< of the side whose channels are vectors, and of the other
  int tap_y, tap_x;
};

/// One node's weights as they stand in its row. Vectors are the channels of one side, terms taps and channels of the
/// other. Vectors are what stands closer together in memory unless kTerms says that terms are.
template <bool kTerms>
struct Weights {
  static constexpr bool kTermsAdjoin = kTerms;
  static constexpr int kRun = 1;
  struct Part {
    int offset;
    bool inside;
  };

  const float* data;  ///< the first tap's
  int count, depth;
  WeightStrides strides;
  Divisor channels, taps_across;

  constexpr Part vector(int v) const { return {v * strides.vector, v < count}; }
  constexpr Part term(int k) const {
    const int tap = channels.divide(k), y = taps_across.divide(tap), x = tap - y * taps_across.value();
    return {(k - tap * channels.value()) * strides.channel + y * strides.tap_y + x * strides.tap_x, k < depth};
  }
  constexpr float at(const Part& v, const Part& k) const {
    return v.inside && k.inside ? data[v.offset + k.offset] : 0.0f;
  }
};

}  // namespace sparsepush
