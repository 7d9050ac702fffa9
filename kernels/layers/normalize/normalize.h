// Normalization of channels with what follows it: a shortcut that is added, and a ReLU.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"
#include "kernels/layers/image_shape.h"
#include "kernels/layers/norm_gradient.h"
#include "kernels/layers/norm_on_load.h"
#include "kernels/layers/tile_moments.h"

namespace sparsepush {

enum class Norm {
  kNone,     ///< h = input
  kBatch,    ///< [BatchNorm] over the node's samples and all pixels of a channel
  kGroup,    ///< [GroupNorm] over the pixels and channels of a group of a sample
  kEvoNorm,  ///< [EvoNorm] S0: h = gamma * input * sigmoid(v * input) / std(group of the sample) + beta
};

/// output = activation(h + shortcut). With batch and group h = gamma * (input - mean) / sqrt(variance + kEpsilon) +
/// beta, variance without Bessel's correction; kEvoNorm divides by sqrt(variance + kEpsilon) likewise. Parameters are
/// [channels] each, and taken at z = x * r, r = (float)(1.0 / u).
///
/// The shortcut is the skip tensor: added as it is, or, where that has the doubled height and width (rounded up) and
/// half the channels, its even rows and columns, with zeros for the first and the last quarter of the channels
/// (option A of [ResNet]); channels are a multiple of 4 then.
struct NormalizeLayer {
  Norm norm = Norm::kNone;
  ImageShape shape;  ///< of input and output
  int groups = 1;    ///< of kGroup and kEvoNorm; divides the channels; channels of a group are neighbours
  bool relu = true;  ///< output = max(h + shortcut, 0); NaN stays NaN
  bool has_skip = false;
  ImageShape skip = {};                     ///< of the skip tensor
  std::int64_t gamma = 0, beta = 0, v = 0;  ///< first elements in a node's row; of those that the norm has
  std::int64_t statistics = 0;  ///< of kBatch: first of [channels] means and [channels] variances in a node's row of
                                ///< running statistics

  static constexpr float kEpsilon = 1e-5f;
  static constexpr float kMomentum = 0.1f;  ///< of running statistics
  /// Counts the floats a node that the forward pass leaves for the backward pass.
  std::int64_t saved(int samples) const {
    if (norm == Norm::kNone) return 0;
    return norm == Norm::kBatch ? 2 * shape.channels : std::int64_t{2} * samples * groups;
  }
  /// Counts the doubles a node that either pass takes on Cuda, within a call.
  std::int64_t scratch(int samples) const;
};

/// Arguments of `normalize_forward`. Samples of one node are consecutive, `samples` of them per node.
struct NormalizeForward {
  NormalizeLayer layer;
  MatrixView<const float> x;      ///< [nodes, row]
  std::span<const double> u;      ///< [nodes]
  MatrixView<const float> input;  ///< [nodes * samples, shape]
  MatrixView<const float> skip;   ///< [nodes * samples, layer.skip], if the layer has one
  MatrixView<float> output;       ///< [nodes * samples, shape] written; no data: not wanted, beside `terms`
  /// [nodes, >= layer.saved(samples)] written in training: means of all channels, or of all samples' groups, then 1 /
  /// sqrt(variance + kEpsilon) of them.
  MatrixView<float> saved;
  /// [nodes, all statistics of the network], used by kBatch only. In training they become (1 - kMomentum) * old +
  /// kMomentum * batch, of the variance with Bessel's correction n / (n - 1) unless n = 1, where it stays 0; otherwise
  /// they are what normalizes, and stay as they are.
  MatrixView<float> statistics;
  MatrixView<double> scratch = {};  ///< [nodes, >= layer.scratch(samples)] overwritten on Cuda; the Cpu needs none
  TileMoments moments = {};         ///< of the input, where a convolution has left them: of kBatch in training, on Cuda
  /// [nodes, >= NormOnLoad::kNumbers * channels] written, of kBatch without a skip tensor, on Cuda: what makes the same
  /// output of the input, to the bit. No data: not wanted.
  MatrixView<float> terms = {};
  bool training = true;
};

/// Normalizes. Statistics are sums of differences to a value near the mean: fp32 over at most 64 pixels and from there
/// in double, in an order that depends on the layer and `samples` only. The variance is then within 1e-5 of itself,
/// also where the mean is 1000 standard deviations, unless most of 8 pixels, spread evenly from the first on, lie far
/// from it; and 0 where all values are equal; beyond 1e18 squares overflow. A NaN or an infinity makes NaN of all that
/// its statistics normalize. With moments the input is not read for statistics: what they say is added up in order, and
/// the variance is within 1e-5 of itself wherever its pixels lie. Outputs are within 2e-6 of the exact ones, times the
/// largest of their node; backends agree to twice that, and vector levels exactly.
void normalize_forward(const Cpu& cpu, const NormalizeForward& forward);
void normalize_forward(const Cuda& gpu, const NormalizeForward& forward);

/// Arguments of `normalize_backward`, for a forward pass in training.
struct NormalizeBackward {
  NormalizeLayer layer;
  MatrixView<const float> x;       ///< [nodes, row]
  std::span<const double> u;       ///< [nodes]
  MatrixView<const float> input;   ///< as in the forward pass
  MatrixView<const float> output;  ///< that it left; may have no data beside `sums`
  MatrixView<const float> saved;   ///< that it left
  /// [nodes * samples, shape] in: gradient of the output, from the next layer. Out: of h + shortcut, which is what the
  /// skip tensor's producer adds (below).
  MatrixView<float> output_gradient;
  /// If `output` is also the skip tensor of a later layer: that one's output_gradient after its backward pass, [nodes *
  /// samples, skip_shape], which is added through the shortcut; else no data.
  MatrixView<const float> skip_gradient;
  ImageShape skip_shape;             ///< shape of that later layer
  MatrixView<float> gradient;        ///< [nodes, row] gamma, beta and v are written, at z
  MatrixView<float> input_gradient;  ///< [nodes * samples, shape] written
  MatrixView<double> scratch = {};   ///< as in the forward pass; nothing of that needs to stand there
  /// Of kBatch on Cuda: where a convolution has left output_gradient as it is to be, and sums of it, which are
  /// overwritten (NormGradient); the shortcut is added then, and neither `output` nor `skip_gradient` is read.
  NormGradientSums sums = {};
};

/// Computes the gradients, with sums as in the forward pass. Running statistics have no part in it. Every tensor is
/// within 2e-6 of the exact one, times its largest value of the node; backends agree to twice that, and vector levels
/// exactly. In both passes arrays that are written overlap no others, and on Cuda arrays of images begin on 16 bytes
/// where channels are a multiple of 4.
void normalize_backward(const Cpu& cpu, const NormalizeBackward& backward);
void normalize_backward(const Cuda& gpu, const NormalizeBackward& backward);

/// Checks the shapes above.
void check_normalize_forward_shapes(const NormalizeForward& forward);
void check_normalize_backward_shapes(const NormalizeBackward& backward);

}  // namespace sparsepush
