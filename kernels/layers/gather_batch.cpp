#include "kernels/layers/gather_batch.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "kernels/backend/check.h"
#include "kernels/backend/multiversion.h"
#include "kernels/backend/permutation_block.h"

namespace sparsepush {
namespace {

constexpr int kLanes = PermutationBlock::kLanes;

/// Scale and offset of every feature of some pixels that follow one another, for loops without channels; of one pixel
/// if there is only one channel, and of none if there are too many.
class PixelScales {
 public:
  explicit PixelScales(const SampleView& set) : channel_(set.channel) {
    const auto channels = static_cast<int>(channel_.size());
    if (channels == 0 || channels > kFeatures) return;
    const int pixels = channels == 1 ? 1 : std::clamp(kFeatures / channels, 1, set.image.pixels());
    for (int p = 0; p < pixels; ++p)
      for (const ByteScale& channel : channel_) {
        scale_[features_] = channel.scale;
        offset_[features_++] = channel.offset;
      }
  }

  /// The image's bytes as floats.
  void convert(const std::uint8_t* bytes, std::int64_t features, float* input) const {
    const std::int64_t period = features_;
    if (period == 1) {
      const float scale = scale_[0], offset = offset_[0];
      for (std::int64_t i = 0; i < features; ++i) input[i] = std::fma(scale, static_cast<float>(bytes[i]), offset);
    } else if (period > 1) {
      for (std::int64_t begin = 0; begin < features; begin += period)
        for (std::int64_t i = 0; i < std::min(period, features - begin); ++i)
          input[begin + i] = std::fma(scale_[i], static_cast<float>(bytes[begin + i]), offset_[i]);
    } else {
      for (std::int64_t i = 0; i < features;)
        for (const ByteScale& channel : channel_) {
          input[i] = std::fma(channel.scale, static_cast<float>(bytes[i]), channel.offset);
          ++i;
        }
    }
  }

 private:
  static constexpr int kFeatures = 192;  // of few channels: whole vectors, a fraction of the cache

  std::span<const ByteScale> channel_;
  std::array<float, kFeatures> scale_, offset_;
  std::int64_t features_ = 0;
};

/// to = the crop of an image.
void crop_image(const std::uint8_t* bytes, const ImageShape& image, const Crop& crop, std::uint8_t* to) {
  const int down = crop.top - Crop::kPadding, right = crop.left - Crop::kPadding;
  const int first = std::max(0, -right), last = image.width - std::max(0, right);  // columns before a flip
  std::fill_n(to, image.size(), std::uint8_t{0});
  for (int y = std::max(0, -down); y < image.height - std::max(0, down); ++y) {
    const std::uint8_t* from = bytes + std::int64_t{image.width} * image.channels * (y + down);
    std::uint8_t* out = to + std::int64_t{image.width} * image.channels * y;
    for (int x = first; x < last; ++x) {
      const int column = crop.flip ? image.width - 1 - x : x;
      for (int c = 0; c < image.channels; ++c)
        out[column * image.channels + c] = from[(x + right) * image.channels + c];
    }
  }
}

/// Where the sample is.
const void* row_of(const SampleView& set, std::int64_t sample) {
  if (set.has_values()) return set.values.row(sample);
  return set.bytes.row(sample);
}

/// The sample as floats.
void load(const SampleView& set, const PixelScales& pixels, std::int64_t sample, std::int64_t features, float* input) {
  if (set.has_values())
    std::copy_n(set.values.row(sample), features, input);
  else
    pixels.convert(set.bytes.row(sample), features, input);
}

/// Samples of the positions [first, first + kLanes) of the node's endless sequence.
std::array<std::int32_t, kLanes> samples_at(const GatherBatch& g, int node, std::uint64_t first, VectorLevel level) {
  const std::int64_t begin = g.owned.begin[node];
  PermutationBlock block{.draw = {.seed = g.seed[node],
                                  .purpose = Purpose::kShuffle,
                                  .node = static_cast<std::uint32_t>(g.identity[node])},
                         .count = static_cast<std::uint32_t>(g.owned.begin[node + 1] - begin)};
  std::uint64_t pass = first / block.count;
  std::uint32_t index = static_cast<std::uint32_t>(first % block.count);
  for (int i = 0; i < kLanes; ++i) {
    block.step[i] = static_cast<std::uint32_t>(pass);
    block.index[i] = index;
    if (++index == block.count) ++pass, index = 0;
  }
  permute(&block, level);
  std::array<std::int32_t, kLanes> sample;
  for (int i = 0; i < kLanes; ++i) {
    sample[i] = g.owned.sample[begin + block.index[i]];
    __builtin_prefetch(row_of(g.set, sample[i]));
  }
  return sample;
}

/// Row `row` of the input = a sample, by way of `cropped` [features] if the batch is augmented.
void write_row(const GatherBatch& g, const PixelScales& pixels, std::int64_t sample, std::int64_t row,
               std::uint8_t* cropped) {
  if (!g.augment) return load(g.set, pixels, sample, g.input.cols, g.input.row(row));
  crop_image(g.set.bytes.row(sample), g.set.image, crop_of(g, row), cropped);
  pixels.convert(cropped, g.input.cols, g.input.row(row));
}

/// The batch of the node that is the `i`th of those whose batches are gathered. cropped: [features] scratch
void gather_node(const GatherBatch& g, const PixelScales& pixels, int i, VectorLevel level, std::uint8_t* cropped) {
  for (int b = 0; b < g.batch; b += kLanes) {
    const auto first = static_cast<std::uint64_t>(*g.step) * static_cast<std::uint64_t>(g.batch) + b;
    const auto sample = samples_at(g, g.first_node + i, first, level);
    for (int lane = 0; lane < std::min(kLanes, g.batch - b); ++lane) {
      const std::int64_t row = std::int64_t{i} * g.batch + b + lane;
      run_vectorized(level, [&] { write_row(g, pixels, sample[lane], row, cropped); });
      g.label[row] = g.set.label[sample[lane]];
    }
  }
}

void check_set(const SampleView& set) {
  const int samples = set.has_values() ? set.values.rows : set.bytes.rows;
  CHECK(set.label.size() == static_cast<std::size_t>(samples), "samples ", samples, ", labels ", set.label.size());
  CHECK(!set.has_values() || set.bytes.rows == 0, "values ", set.values, ", bytes ", set.bytes);
  const std::size_t scales = set.has_values() ? 0 : set.image.channels;
  CHECK(set.image.size() == set.features() && set.channel.size() == scales, "image [", set.image.height, ", ",
        set.image.width, ", ", set.image.channels, "], features ", set.features(), ", scales ", set.channel.size());
}

}  // namespace

void check_gather_batch_shapes(const GatherBatch& g) {
  CHECK(g.batch >= 1 && g.input.rows % g.batch == 0, "batch ", g.batch, ", input ", g.input);
  CHECK(g.input.cols == g.set.features(), "input ", g.input, ", features ", g.set.features());
  CHECK(g.label.size() == static_cast<std::size_t>(g.input.rows), "labels ", g.label.size(), ", input ", g.input);
  check_set(g.set);
  CHECK(!g.augment || (g.set.image.height > 1 && g.set.image.width > 1 && !g.set.has_values()), "augment ",
        g.set.image.height, " x ", g.set.image.width, ", values ", g.set.values);
  const std::size_t end = static_cast<std::size_t>(g.first_node) + g.input.rows / g.batch;
  CHECK(g.first_node >= 0 && end <= g.seed.size(), "nodes up to ", end, " of ", g.seed.size());
  CHECK(g.identity.size() == g.seed.size() && g.owned.begin.size() == g.seed.size() + 1, "seeds ", g.seed.size(),
        ", identities ", g.identity.size(), ", begins ", g.owned.begin.size());
}

void gather_batch(const Cpu& cpu, const GatherBatch& gather) {
  check_gather_batch_shapes(gather);
  const PixelScales pixels(gather.set);
  cpu.pool().run(gather.input.rows / gather.batch, [&](std::int64_t i, int worker) {
    gather_node(gather, pixels, static_cast<int>(i), cpu.vector_level(),
                cpu.pool().scratch<std::uint8_t>(worker, gather.augment ? gather.input.cols : 0).data());
  });
}

void check_load_samples_shapes(const SampleView& set, const SampleRange& range, MatrixView<float> input,
                               std::span<std::int32_t> label) {
  CHECK(input.cols == set.features(), "input ", input, ", features ", set.features());
  CHECK(range.first >= 0 && range.count >= 1 && range.count <= std::ssize(set.label) - range.first, "samples ",
        range.first, " + ", range.count, ", labels ", set.label.size());
  CHECK(input.rows % range.count == 0, "input ", input, ", samples ", range.count);
  CHECK(label.size() == static_cast<std::size_t>(input.rows), "labels ", label.size(), ", input ", input);
  check_set(set);
}

void load_samples(const Cpu& cpu, const SampleView& set, const SampleRange& range, MatrixView<float> input,
                  std::span<std::int32_t> label) {
  check_load_samples_shapes(set, range, input, label);
  const PixelScales pixels(set);
  cpu.pool().run(input.rows, [&](std::int64_t row, int) {
    const std::int64_t sample = range.first + row % range.count;
    run_vectorized(cpu.vector_level(), [&] { load(set, pixels, sample, input.cols, input.row(row)); });
    label[row] = set.label[sample];
  });
}

}  // namespace sparsepush
