#include <algorithm>

#include "kernels/cuda_launch.h"
#include "kernels/cuda_scratch.h"
#include "kernels/gather_batch.h"
#include "kernels/random.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;
constexpr int kWarp = 32;
constexpr std::int64_t kFeaturesPerPart = 1024;  // of a sample that a warp loads: enough to hide finding it

/// Which sample of the set row i is: sample[i], or, where there is no list, that of a range repeated over and over.
struct RowSamples {
  const std::int32_t* sample = nullptr;  ///< [rows]
  SampleRange range;
  GatherBatch batch;  ///< that the rows are, if it is augmented
};

/// sample[row] for all rows of the batch: a thread per row, in strides of the grid.
__global__ void find_samples_kernel(GatherBatch g, std::int32_t* sample) {
  for (std::int64_t row = grid_thread(); row < g.input.rows; row += grid_threads()) {
    const std::int64_t node = g.first_node + row / g.batch, begin = g.owned.begin[node];
    const auto count = static_cast<std::uint32_t>(g.owned.begin[node + 1] - begin);
    const std::uint64_t position =
        static_cast<std::uint64_t>(*g.step) * static_cast<std::uint64_t>(g.batch) + row % g.batch;
    const Draw draw{.seed = g.seed[node],
                    .stream = Stream::kShuffle,
                    .node = static_cast<std::uint32_t>(g.identity[node]),
                    .step = position / count};
    const std::uint32_t item = random_permutation(draw, static_cast<std::uint32_t>(position % count), count);
    sample[row] = g.owned.sample[begin + item];
  }
}

/// One warp per (row, part of its features), in strides of the grid; lanes take features in turn, and each of them
/// draws the row's crop: that costs less than to fetch it.
__global__ void load_samples_kernel(SampleView set, RowSamples from, MatrixView<float> input,
                                    std::span<std::int32_t> label, std::int64_t parts) {
  const int features = input.cols, lane = threadIdx.x % kWarp;
  for (std::int64_t item = grid_thread() / kWarp; item < input.rows * parts; item += grid_threads() / kWarp) {
    const std::int64_t row = item / parts, begin = item % parts * kFeaturesPerPart;
    const std::int64_t end = std::min<std::int64_t>(features, begin + kFeaturesPerPart);
    const std::int64_t sample = from.sample != nullptr ? from.sample[row] : from.range.first + row % from.range.count;
    const std::uint8_t* bytes = set.bytes.row(sample);
    float* to = input.row(row);
    const bool augment = from.batch.augment;
    const Crop crop = augment ? crop_of(from.batch, row) : Crop{};
    for (std::int64_t f = begin + lane; f < end; f += kWarp) {
      const int i = static_cast<int>(f), source = augment ? crop.source(set.image, i) : i;
      const ByteScale channel = set.channel[i % set.image.channels];
      to[f] = __fmaf_rn(channel.scale, source < 0 ? 0.0f : static_cast<float>(bytes[source]), channel.offset);
    }
    if (begin == 0) label[row] = set.label[sample];  // by all lanes, with the same value
  }
}

void load_rows(const Cuda& gpu, const SampleView& set, const RowSamples& from, MatrixView<float> input,
               std::span<std::int32_t> label) {
  const std::int64_t parts = std::max<std::int64_t>(1, (input.cols + kFeaturesPerPart - 1) / kFeaturesPerPart);
  const std::int64_t blocks = (input.rows * parts * kWarp + kThreads - 1) / kThreads;
  launch(gpu, {.blocks = blocks_for(gpu, blocks), .threads = kThreads}, load_samples_kernel, set, from, input, label,
         parts);
}

}  // namespace

void gather_batch(const Cuda& gpu, const GatherBatch& gather) {
  check_gather_batch_shapes(gather);
  const CudaScratch<std::int32_t> sample(gpu, gather.input.rows);
  launch(gpu, {.blocks = blocks_for(gpu, (gather.input.rows + kThreads - 1) / kThreads), .threads = kThreads},
         find_samples_kernel, gather, sample.data());
  load_rows(gpu, gather.set, {.sample = sample.data(), .range = {}, .batch = gather}, gather.input, gather.label);
}

void load_samples(const Cuda& gpu, const SampleView& set, const SampleRange& range, MatrixView<float> input,
                  std::span<std::int32_t> label) {
  check_load_samples_shapes(set, range, input, label);
  load_rows(gpu, set, {.range = range, .batch = {}}, input, label);
}

}  // namespace sparsepush
