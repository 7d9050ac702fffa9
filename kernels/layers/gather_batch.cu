#include <algorithm>

#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/random.h"
#include "kernels/layers/gather_batch.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kTileFeatures = 1024;  // of a sample that a warp loads: enough to hide finding it

// Each op first puts the number of a row's sample where its label belongs, and the label last: so no memory is needed.

/// Finds the samples of a batch: a thread per row, in strides of the grid.
__global__ void find_samples_kernel(GatherBatch g) {
  for (std::int64_t row = grid_thread(); row < g.input.rows; row += grid_threads()) {
    const std::int64_t node = g.first_node + row / g.batch, begin = g.owned.begin[node];
    const auto count = static_cast<std::uint32_t>(g.owned.begin[node + 1] - begin);
    const std::uint64_t position =
        static_cast<std::uint64_t>(*g.step) * static_cast<std::uint64_t>(g.batch) + row % g.batch;
    const Draw draw{.seed = g.seed[node],
                    .purpose = Purpose::kShuffle,
                    .node = static_cast<std::uint32_t>(g.identity[node]),
                    .step = position / count};
    const std::uint32_t item = random_permutation(draw, static_cast<std::uint32_t>(position % count), count);
    g.label[row] = g.owned.sample[begin + item];
  }
}

/// Numbers the samples of a range, over and over: one thread per row, in strides of the grid.
__global__ void number_samples_kernel(SampleRange range, std::span<std::int32_t> label) {
  for (std::int64_t row = grid_thread(); row < std::ssize(label); row += grid_threads())
    label[row] = static_cast<std::int32_t>(range.first + row % range.count);
}

/// One warp per (row, tile of its features), in strides of the grid; lanes take features in turn, and each of them
/// draws the row's crop, if the rows are of a `batch` that is augmented: that costs less than to fetch it.
__global__ void load_samples_kernel(SampleView set, GatherBatch batch, std::span<const std::int32_t> sample,
                                    MatrixView<float> input, std::int64_t tiles) {
  const int features = input.cols, lane = threadIdx.x % kWarp;
  for (std::int64_t item = grid_thread() / kWarp; item < input.rows * tiles; item += grid_threads() / kWarp) {
    const std::int64_t row = item / tiles, begin = item % tiles * kTileFeatures;
    const std::int64_t end = std::min<std::int64_t>(features, begin + kTileFeatures);
    float* to = input.row(row);
    if (set.has_values()) {
      const float* values = set.values.row(sample[row]);
      for (std::int64_t f = begin + lane; f < end; f += kWarp) to[f] = values[f];
      continue;
    }
    const std::uint8_t* bytes = set.bytes.row(sample[row]);
    const Crop crop = batch.augment ? crop_of(batch, row) : Crop{};
    for (std::int64_t f = begin + lane; f < end; f += kWarp) {
      const int i = static_cast<int>(f), source = batch.augment ? crop.source(set.image, i) : i;
      const ByteScale channel = set.channel[i % set.image.channels];
      to[f] = __fmaf_rn(channel.scale, source < 0 ? 0.0f : static_cast<float>(bytes[source]), channel.offset);
    }
  }
}

/// A thread per row, in strides of the grid.
__global__ void look_up_labels_kernel(SampleView set, std::span<std::int32_t> label) {
  for (std::int64_t row = grid_thread(); row < std::ssize(label); row += grid_threads())
    label[row] = set.label[label[row]];
}

/// Loads the samples whose numbers stand in `label`, and replaces those by their labels. batch: that the rows are, if
/// it is augmented.
void load_rows(const Cuda& gpu, const SampleView& set, const GatherBatch& batch, MatrixView<float> input,
               std::span<std::int32_t> label) {
  const std::int64_t tiles = std::max<std::int64_t>(1, divide_up(input.cols, kTileFeatures));
  launch(gpu, thread_each(gpu, input.rows * tiles * kWarp, kThreads), load_samples_kernel, set, batch, label, input,
         tiles);
  launch(gpu, thread_each(gpu, input.rows, kThreads), look_up_labels_kernel, set, label);
}

}  // namespace

void gather_batch(const Cuda& gpu, const GatherBatch& gather) {
  check_gather_batch_shapes(gather);
  launch(gpu, thread_each(gpu, gather.input.rows, kThreads), find_samples_kernel, gather);
  load_rows(gpu, gather.set, gather, gather.input, gather.label);
}

void load_samples(const Cuda& gpu, const SampleView& set, const SampleRange& range, MatrixView<float> input,
                  std::span<std::int32_t> label) {
  check_load_samples_shapes(set, range, input, label);
  launch(gpu, thread_each(gpu, input.rows, kThreads), number_samples_kernel, range, label);
  load_rows(gpu, set, {}, input, label);
}

}  // namespace sparsepush
