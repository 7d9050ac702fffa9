// How kernels on tensor cores divide a convolution's pixels: plain C++, so that plans can count what they leave.
#pragma once
#include <cstdint>

#include "kernels/layers/conv2d/halo_tiles.h"
#include "kernels/layers/conv2d/tensor_shapes.h"
#include "kernels/layers/norm_gradient.h"
#include "kernels/layers/tile_moments.h"

namespace sparsepush {

inline constexpr int kTensorWarps = 4;  ///< of a block of tensor_convolution.cu and of the few channels' forward pass

enum class TensorPass {
  kForward,
  kBackward,  ///< gradient of the input, stride 1: the same with mirrored taps and sides exchanged
  kPhases     ///< stride 2: every tap reaches inputs of one of four phases, even or odd in y and in x
};

/// A block computes tiles of kPixels pixels and kOutputs channels, and adds up a panel of kChannels channels of the
/// other side at a time. A warp has kTiles fragments of 16 pixels: of its own each, or one of each phase of the same 16
/// pixels.
template <TensorPass pass, int outputs, int tiles, int channels>
struct TensorShape {
  static constexpr TensorPass kPass = pass;
  static constexpr int kOutputs = outputs, kTiles = tiles, kChannels = channels, kTaps = 9;
  static constexpr int kPixels = kTensorWarps * 16 * (pass == TensorPass::kPhases ? 1 : tiles);
  static constexpr int kBlocksTogether = 3;
  /// Floats from one position of the tile to the next.
  static constexpr int kPitch = channels + 4;
  /// Weights stand as in a node's row: of an output its channels and their taps; backward, of a channel that is added
  /// up those that are computed and their taps.
  static constexpr int kWeightRows = pass == TensorPass::kForward ? outputs : channels;
  static constexpr int kWeightRow = kTaps * (pass == TensorPass::kForward ? channels : outputs);
  static constexpr int kWeightPitch = kWeightRow + (pass == TensorPass::kForward ? 4 : 8);
  static constexpr int kOutputPitch = pass == TensorPass::kForward ? kWeightPitch : kTaps;
  static constexpr int kChannelPitch = pass == TensorPass::kForward ? kTaps : kWeightPitch;
  static constexpr int kWeights = kWeightRows * kWeightPitch;
  /// Floats behind both buffers, of sums of a tile by warps.
  static constexpr int kTileSums =
      kTensorWarps * outputs * (pass == TensorPass::kForward ? MomentTiles::kNumbers : NormGradientSums::kNumbers);
  static_assert(meets_all_banks(kPitch, 1) && meets_all_banks(kOutputPitch, kChannelPitch));
};

/// Says how much of one of a block's two buffers weights leave.
template <class Shape>
TileRoom room_of() {
  constexpr int kFloatBytes = sizeof(float);
  return {.pixels = Shape::kPixels,
          .multiple = 1,
          .bytes = (kTensorSharedBytes - kFloatBytes * Shape::kTileSums) / 2 - kFloatBytes * Shape::kWeights,
          .position_bytes = kFloatBytes * Shape::kPitch,
          .pixel_bytes = 0};
}

/// Calls body(shape) with the shape that computes `outputs` channels.
template <TensorPass pass, int kTiles, int kChannels, class Body>
auto with_tensor_shape(int outputs, const Body& body) {
  if (outputs % 32 == 0) return body(TensorShape<pass, 32, kTiles, kChannels>{});
  return body(TensorShape<pass, 16, kTiles, kChannels>{});
}
/// The same for the forward pass of a layer with a tensor shape; those of stride 2 read more for each pixel.
template <class Body>
auto with_forward_shape(const Conv2dLayer& layer, const Body& body) {
  if (layer.stride == 1) return with_tensor_shape<TensorPass::kForward, 4, 16>(layer.out, body);
  return with_tensor_shape<TensorPass::kForward, 2, 8>(layer.out, body);
}
/// The same for the gradient of the input.
template <class Body>
auto with_backward_shape(const Conv2dLayer& layer, const Body& body) {
  if (layer.stride == 1) return with_tensor_shape<TensorPass::kBackward, 4, 16>(layer.in.channels, body);
  return with_tensor_shape<TensorPass::kPhases, 4, 16>(layer.in.channels, body);
}
/// Divides the outputs' pixels: with stride 2, each stands for four of the input.
template <class Shape>
HaloTiles backward_tiles(const Conv2dLayer& layer, int samples) {
  return {layer.out_shape(), layer.out_shape(), 1, samples, room_of<Shape>()};
}
template <class Shape>
HaloTiles forward_tiles(const Conv2dLayer& layer, int samples) {
  return {layer.in, layer.out_shape(), layer.stride, samples, room_of<Shape>()};
}

inline constexpr int kSquareSide = 16;  ///< channels of a warp's square in a parameter gradient, on both sides

/// A block has the weights of 16 * down outputs and 16 * across inputs, a warp a square of 16 x 16 channels with all
/// taps. Where there are fewer squares than warps, several warps share one: each has groups of eight pixels of its own.
template <int down, int across>
struct TensorGradientShape {
  static constexpr int kAcross = across;
  static constexpr int kPixels = 128;
  static constexpr int kBlocksTogether = 2;
  static constexpr int kOutputs = kSquareSide * down, kInputs = kSquareSide * across;
  static constexpr int kOutputPitch = kOutputs + 8, kInputPitch = kInputs + 8;  ///< floats from one pixel to the next
  static constexpr int kSquares = down * across, kShares = kTensorWarps / kSquares;
  static_assert(meets_all_banks(1, kOutputPitch) && meets_all_banks(1, kInputPitch));
};

/// Calls body(shape) with the shape of a layer's parameter gradient.
template <class Body>
auto with_gradient_shape(const Conv2dLayer& layer, const Body& body) {
  const bool two_down = layer.out % 32 == 0, two_across = layer.in.channels % 32 == 0;
  if (two_down) return two_across ? body(TensorGradientShape<2, 2>{}) : body(TensorGradientShape<2, 1>{});
  return two_across ? body(TensorGradientShape<1, 2>{}) : body(TensorGradientShape<1, 1>{});
}
template <class Shape>
HaloTiles gradient_tiles(const Conv2dLayer& layer, int samples) {
  constexpr int kFloatBytes = sizeof(float);
  return {layer.in,
          layer.out_shape(),
          layer.stride,
          samples,
          {.pixels = Shape::kPixels,
           .multiple = 8,
           .bytes = kTensorSharedBytes / 2,
           .position_bytes = kFloatBytes * Shape::kInputPitch,
           .pixel_bytes = kFloatBytes * (Shape::kOutputPitch + 1)}};
}

/// A number of channels of images. The terms of a sum are the taps of each channel, as an output's weights stand in a
/// node's row, in eights. Beyond the last, weights and images are zero.
template <int channels>
struct FewChannels {
  static constexpr int kChannels = channels, kTerms = 9 * channels, kEights = (kTerms + 7) / 8;
  static constexpr int kTermPitch = 8 * kEights + 4;  ///< floats from one output's terms to the next's
  static constexpr int kForwardTiles = 4;             ///< of 16 pixels, by a warp
  static_assert(meets_all_banks(kTermPitch, 1));
};

/// Divides a layer's outputs into tiles of at most `pixels` pixels, whole ones of a multiple of `multiple`.
template <class Shape>
HaloTiles few_channels_tiles(const Conv2dLayer& layer, int samples, int pixels, int multiple) {
  return {layer.in,
          layer.out_shape(),
          layer.stride,
          samples,
          {.pixels = pixels,
           .multiple = multiple,
           .bytes = kTensorSharedBytes / 2,
           .position_bytes = static_cast<int>(sizeof(float)) * Shape::kChannels,
           .pixel_bytes = 0}};
}
template <class Shape>
HaloTiles few_channels_forward_tiles(const Conv2dLayer& layer, int samples) {
  return few_channels_tiles<Shape>(layer, samples, kTensorWarps * 16 * Shape::kForwardTiles, 1);
}

/// Returns the tiles whose moments the layer's forward pass can leave on a Cuda; none where it runs on no tensor cores.
inline MomentTiles moment_tiles(const Conv2dLayer& layer, int samples) {
  const auto count = [](const HaloTiles& tiles) -> MomentTiles {
    return {tiles.count(), tiles.lines() * tiles.width()};
  };
  if (has_few_channels(layer))
    return count(layer.in.channels == 1 ? few_channels_forward_tiles<FewChannels<1>>(layer, samples)
                                        : few_channels_forward_tiles<FewChannels<3>>(layer, samples));
  if (!has_tensor_shape(layer)) return {};
  return with_forward_shape(layer, [&](auto shape) { return count(forward_tiles<decltype(shape)>(layer, samples)); });
}

/// Returns how many tiles of its input's gradient the layer's backward pass can sum on a Cuda; 0 where it runs on no
/// tensor cores.
inline int norm_gradient_tiles(const Conv2dLayer& layer, int samples) {
  if (!has_tensor_shape(layer)) return 0;
  return with_backward_shape(layer,
                             [&](auto shape) { return backward_tiles<decltype(shape)>(layer, samples).count(); });
}

/// Returns whether a Cuda can normalize the layer's input wherever it reads it, of so many samples a node or fewer.
inline bool can_normalize_on_load(const Conv2dLayer& layer, int samples) {
  return has_tensor_shape(layer) && moment_tiles(layer, samples).count > 0 &&
         with_gradient_shape(layer,
                             [&](auto shape) { return gradient_tiles<decltype(shape)>(layer, samples).lines() > 0; });
}

}  // namespace sparsepush
