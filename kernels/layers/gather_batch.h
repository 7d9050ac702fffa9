// Picks each node's samples of a step out of the data set.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"
#include "kernels/layers/byte_scale.h"
#include "kernels/layers/crop.h"
#include "kernels/layers/image_shape.h"

namespace sparsepush {

/// A labelled set in backend memory, of bytes or of floats.
struct SampleView {
  MatrixView<const std::uint8_t> bytes;  ///< [samples, features]
  std::span<const std::uint8_t> label;   ///< [samples]
  ImageShape image;                      ///< of the features
  std::span<const ByteScale> channel;    ///< [channels] what the bytes of each mean
  MatrixView<const float> values = {};   ///< [samples, features] instead of bytes, as they are

  constexpr bool has_values() const { return values.rows > 0; }
  constexpr int features() const { return has_values() ? values.cols : bytes.cols; }
};

/// Which samples belong to which node: node i owns sample[begin[i] .. begin[i + 1]), never empty. In backend memory.
struct NodeSamples {
  std::span<const std::int64_t> begin;   ///< [nodes + 1]
  std::span<const std::int32_t> sample;  ///< [assigned samples] rows of the set
};

/// Arguments of `gather_batch`, all in backend memory.
struct GatherBatch {
  SampleView set;
  NodeSamples owned;
  int first_node = 0;    ///< the batch is gathered for the nodes [first_node, first_node + input.rows / batch)
  int batch = 0;         ///< samples a node and step
  bool augment = false;  ///< crop and mirror at random; for images of bytes, of more than one row and column
  const std::int64_t* step = nullptr;      ///< [1] SGD steps done so far
  std::span<const std::uint64_t> seed;     ///< [nodes] seed of the node's replica
  std::span<const std::int32_t> identity;  ///< [nodes] the node's number within its replica, over all shards
  MatrixView<float> input;                 ///< [nodes of the batch * batch, features]
  std::span<std::int32_t> label;           ///< [nodes of the batch * batch]
};

/// Gathers a batch for every node. Sample b of the batch is number p = *step * batch + b of an endless sequence in
/// which pass p / n over the node's own n samples has its own random order: random_permutation({seed, kShuffle,
/// identity, pass}, p % n, n). If `augment`, it is cropped by random_crop({seed, kAugment, identity, *step, b}).
/// Backends and vector levels agree exactly.
void gather_batch(const Cpu& cpu, const GatherBatch& gather);
void gather_batch(const Cuda& gpu, const GatherBatch& gather);

/// Returns the crop of row `row` of an augmented batch.
constexpr Crop crop_of(const GatherBatch& g, std::int64_t row) {
  const std::int64_t node = g.first_node + row / g.batch;
  return random_crop({.seed = g.seed[node],
                      .purpose = Purpose::kAugment,
                      .node = static_cast<std::uint64_t>(g.identity[node]),
                      .step = static_cast<std::uint64_t>(*g.step),
                      .index = static_cast<std::uint64_t>(row % g.batch)});
}

/// Checks the shapes above.
void check_gather_batch_shapes(const GatherBatch& gather);

/// Consecutive samples of a set.
struct SampleRange {
  int first = 0, count = 0;
};

/// Loads a range for testing: input [nodes * count, features] and label [nodes * count] = the samples of the range in
/// their own order, once per node. Backends agree exactly.
void load_samples(const Cpu& cpu, const SampleView& set, const SampleRange& range, MatrixView<float> input,
                  std::span<std::int32_t> label);
void load_samples(const Cuda& gpu, const SampleView& set, const SampleRange& range, MatrixView<float> input,
                  std::span<std::int32_t> label);

/// Checks the shapes above.
void check_load_samples_shapes(const SampleView& set, const SampleRange& range, MatrixView<float> input,
                               std::span<std::int32_t> label);

}  // namespace sparsepush
