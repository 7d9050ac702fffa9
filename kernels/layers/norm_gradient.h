// The gradient of an array that batch normalization has made, where the convolution that reads the array computes it.
#pragma once
#include <cstdint>

#include "kernels/backend/view.h"
#include "kernels/layers/image_shape.h"

namespace sparsepush {

/// Sums of the pixels of tiles of a node's samples, to be added up: of g, and of g times the difference of the
/// normalization's input to its mean.
struct NormGradientSums {
  static constexpr int kNumbers = 2;  ///< of a channel

  MatrixView<double> sums = {};  ///< [nodes, >= doubles(tiles, channels)] [tiles, kNumbers, channels]; no data: none
  int tiles = 0;

  static constexpr std::int64_t doubles(int tiles, int channels) { return std::int64_t{kNumbers} * tiles * channels; }
};

/// Says what becomes of the gradient of a normalization's output before it is written: what comes through a later
/// shortcut is added, and where the ReLU cut off it is 0, which makes it g, the gradient of h + shortcut in
/// normalize.h; and g is summed. Members are those of NormalizeBackward.
struct NormGradient {
  MatrixView<const float> input = {};   ///< [nodes * samples, shape]; no data: nothing of this is wanted
  MatrixView<const float> output = {};  ///< [nodes * samples, shape]; no data: `terms` say what it would be
  MatrixView<const float> terms = {};   ///< [nodes, >= NormOnLoad::kNumbers * channels]
  MatrixView<const float> saved = {};   ///< [nodes, >= channels] means
  bool relu = false;
  MatrixView<const float> skip_gradient = {};  ///< [nodes * samples, skip_shape]; no data: no shortcut
  ImageShape skip_shape = {};
  NormGradientSums sums = {};  ///< written

  constexpr bool is_wanted() const { return input.data != nullptr; }
};

}  // namespace sparsepush
