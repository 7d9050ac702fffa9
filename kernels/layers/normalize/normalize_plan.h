// How blocks of threads divide normalization on a GPU.
#pragma once
#include <cstdint>

#include "kernels/layers/normalize/normalize_terms.h"

namespace sparsepush {

/// A tile is some pixels of an instance (see NormGroups) and some of its channels, for one block. Threads side by side
/// take neighbouring channels of a pixel, and rows of such threads kPixels pixels each, which are added in fp32. All
/// this depends on the layer and the samples of a node only, and with it the order of every sum.
struct NormPlan {
  static constexpr int kThreads = 256;  ///< of a block
  static constexpr int kPixels = 8;     ///< a thread: 8 nodes with 32 samples of ResNet-20 make 128 to 512 tiles

  NormGroups groups;
  int channels;
  int tile_channels = 0;
  int channel_tiles = 0;   ///< that stand side by side
  int rows = 0;            ///< of threads
  std::int64_t tiles = 0;  ///< of an instance, for the same channels
  int sums = 0;            ///< the most that a pass takes of every channel

  constexpr int group_channels() const { return channels / groups.groups; }
  constexpr std::int64_t tile_pixels() const { return std::int64_t{rows} * kPixels; }

  // Scratch of a node, in doubles.
  /// Counts the sums of one instance: [tiles, sums, channels], as many sums as the pass takes.
  constexpr std::int64_t instance_sums() const { return tiles * sums * channels; }
  /// Returns where [instances, groups] pairs of terms begin, which normalize all that belongs to them.
  constexpr std::int64_t first_terms() const { return groups.instances * instance_sums(); }
  constexpr std::int64_t scratch() const { return first_terms() + std::int64_t{2} * groups.instances * groups.groups; }
};

constexpr NormPlan norm_plan(const NormalizeLayer& layer, int samples) {
  NormPlan plan{.groups = norm_groups(layer, samples), .channels = layer.shape.channels};
  const int floats = floats_at_once(plan.channels), vectors = plan.channels / floats;
  plan.channel_tiles = (vectors + NormPlan::kThreads - 1) / NormPlan::kThreads;
  const int across = (vectors + plan.channel_tiles - 1) / plan.channel_tiles;
  plan.tile_channels = across * floats;
  plan.rows = NormPlan::kThreads / across;
  plan.tiles = (plan.groups.pixels + plan.tile_pixels() - 1) / plan.tile_pixels();
  plan.sums = layer.norm == Norm::kEvoNorm ? 3 : 2;
  return plan;
}

}  // namespace sparsepush
