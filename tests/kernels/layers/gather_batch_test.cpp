#include "kernels/layers/gather_batch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/backend/random.h"
#include "tests/backends.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

/// Three nodes with 1, 5 and 23 samples of a set of 40.
struct Case {
  static constexpr int kSamples = 40;
  ImageShape image;
  int features;
  std::vector<ByteScale> channel;
  std::vector<std::uint8_t> bytes, label;
  std::vector<float> values = {};  ///< instead of bytes, unless empty
  std::vector<std::int64_t> begin = {0, 1, 6, 29};
  std::vector<std::int32_t> sample;
  std::vector<std::uint64_t> seed = {7, 7, 1ull << 40 | 8};
  std::vector<std::int32_t> identity = {0, 1, 0};

  explicit Case(int features = 33) : Case(ImageShape{.width = features}) {}
  explicit Case(const ImageShape& image) : image(image), features(image.size()) {
    for (int c = 0; c < image.channels; ++c) channel.push_back({1.f / (16 + 3 * c), -0.3f + c});
    for (int i = 0; i < kSamples * features; ++i) bytes.push_back(static_cast<std::uint8_t>(i * 37 + i / 256));
    for (int i = 0; i < kSamples; ++i) label.push_back(static_cast<std::uint8_t>(i % 11));
    for (int i = 0; i < 29; ++i) sample.push_back((i * 7 + 3) % kSamples);
  }
  float value(int feature, std::uint8_t byte) const {
    const ByteScale& of = channel[feature % image.channels];
    return std::fma(of.scale, static_cast<float>(byte), of.offset);
  }
  float input(int of_sample, int feature) const {
    const int at = of_sample * features + feature;
    return values.empty() ? value(feature, bytes[at]) : values[at];
  }
};

/// The set in the memory of a backend.
template <class Backend>
struct SetOn {
  SetOn(const Backend& backend, const Case& c)
      : image(c.image),
        bytes(backend, c.values.empty() ? Case::kSamples : 0, c.features, c.bytes),
        label(backend, c.label),
        values(backend, c.values.empty() ? 0 : Case::kSamples, c.features, c.values),
        channel(backend, c.channel) {}
  SampleView view() const {
    return {.bytes = bytes.view(),
            .label = label.span(),
            .image = image,
            .channel = channel.span(),
            .values = values.view()};
  }

  ImageShape image;
  Buffer<Backend, std::uint8_t> bytes, label;
  Buffer<Backend, float> values;
  Buffer<Backend, ByteScale> channel;
};

struct Batch {
  std::vector<float> input;
  std::vector<std::int32_t> label;
};

struct Request {
  int batch;
  std::uint64_t step;
  int first_node, nodes;
  bool augment = false;
};

template <class Backend>
Batch gather(const Backend& backend, const Case& c, const Request& request) {
  const int rows = request.nodes * request.batch;
  const SetOn<Backend> set(backend, c);
  const Buffer<Backend, std::int64_t> begin(backend, c.begin);
  const Buffer<Backend, std::int32_t> sample(backend, c.sample), identity(backend, c.identity);
  const Buffer<Backend, std::uint64_t> seed(backend, c.seed);
  const Buffer<Backend, std::int64_t> step(backend, {static_cast<std::int64_t>(request.step)});
  const Buffer<Backend, float> input(backend, rows, c.features, std::vector<float>(rows * c.features, 99));
  const Buffer<Backend, std::int32_t> label(backend, std::vector<std::int32_t>(rows, -1));
  gather_batch(backend, {.set = set.view(),
                         .owned = {begin.span(), sample.span()},
                         .first_node = request.first_node,
                         .batch = request.batch,
                         .augment = request.augment,
                         .step = step.span().data(),
                         .seed = seed.span(),
                         .identity = identity.span(),
                         .input = input.view(),
                         .label = label.span()});
  return {input.to_host(), label.to_host()};
}

/// The contract, one sample at a time.
int expected_sample(const Case& c, int node, std::uint64_t position) {
  const std::uint64_t n = c.begin[node + 1] - c.begin[node];
  const Draw draw{.seed = c.seed[node],
                  .purpose = Purpose::kShuffle,
                  .node = static_cast<std::uint64_t>(c.identity[node]),
                  .step = position / n};
  return c.sample[c.begin[node] + random_permutation(draw, position % n, n)];
}

/// The image in the middle of a larger one of zeros, of which a part is taken and mirrored or not.
std::vector<float> expected_crop(const Case& c, int sample, const PhiloxBlock& bits) {
  const auto [height, width, channels] = c.image;
  std::vector<std::uint8_t> padded((height + 8) * (width + 8) * channels);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int k = 0; k < channels; ++k)
        padded[((y + 4) * (width + 8) + x + 4) * channels + k] =
            c.bytes[((sample * height + y) * width + x) * channels + k];
  const int dy = static_cast<int>(9 * (bits[0] / 4294967296.0)), dx = static_cast<int>(9 * (bits[1] / 4294967296.0));
  const bool flip = bits[2] >= 1u << 31;
  std::vector<float> out;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int k = 0; k < channels; ++k) {
        const int column = flip ? width - 1 - x : x;
        out.push_back(c.value(k, padded[((y + dy) * (width + 8) + column + dx) * channels + k]));
      }
  return out;
}

/// The words from which row `row` of an augmented batch is cropped.
PhiloxBlock crop_bits(const Case& c, const Request& request, int row) {
  const int node = request.first_node + row / request.batch;
  return random_bits({.seed = c.seed[node],
                      .purpose = Purpose{6},
                      .node = static_cast<std::uint64_t>(c.identity[node]),
                      .step = request.step,
                      .index = static_cast<std::uint64_t>(row % request.batch)});
}

Batch expected_batch(const Case& c, const Request& request) {
  Batch wanted;
  for (int row = 0; row < request.nodes * request.batch; ++row) {
    const int sample = expected_sample(c, request.first_node + row / request.batch,
                                       request.step * request.batch + row % request.batch);
    wanted.label.push_back(c.label[sample]);
    std::vector<float> input;
    for (int f = 0; f < c.features; ++f) input.push_back(c.input(sample, f));
    if (request.augment) input = expected_crop(c, sample, crop_bits(c, request, row));
    wanted.input.insert(wanted.input.end(), input.begin(), input.end());
  }
  return wanted;
}

template <class Backend>
void expect_the_batch(const Case& c, const Request& request) {
  const Batch wanted = expected_batch(c, request);
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    const Batch out = gather(backend, c, request);
    EXPECT_EQ(out.label, wanted.label) << "batch " << request.batch << ", step " << request.step;
    EXPECT_TRUE(same_values(out.input, wanted.input)) << c.features << " features, batch " << request.batch;
  });
}

template <class Backend>
class GatherBatchOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(GatherBatchOn, Backends);

TYPED_TEST(GatherBatchOn, TakesTheSamplesOfTheEndlessSequence) {
  const Case c;
  for (int batch : {1, 7, 8, 9, 16, 40})
    for (std::uint64_t step : {0ull, 1ull, 5ull, 1000000007ull, 1ull << 33})
      expect_the_batch<TypeParam>(c, {batch, step, 0, 3});
}

/// Around warps, blocks, and the features that a warp of a GPU loads at once; more samples than a grid has threads.
TYPED_TEST(GatherBatchOn, LoadsAnyNumberOfFeaturesAndSamples) {
  for (int features : {1, 31, 32, 255, 256, 257, 1023, 1024, 1025, 3072})
    expect_the_batch<TypeParam>(Case(features), {5, 2, 0, 3});
  for (int batch : {85, 86, 255, 256, 257, 2100}) expect_the_batch<TypeParam>(Case(2), {batch, 3, 0, 3});
}

TYPED_TEST(GatherBatchOn, OfAWaveIsAPartOfTheWhole) {
  expect_the_batch<TypeParam>(Case(), {8, 3, 1, 2});
  expect_the_batch<TypeParam>(Case(), {8, 3, 2, 1});
}

TYPED_TEST(GatherBatchOn, ScalesToDenormalsAndInfinities) {
  Case c;
  for (const auto& [scale, offset] : {std::pair{1e-45f, -1e-44f}, {3e38f, -1.f}, {0.f, -0.f}}) {
    c.channel = {{scale, offset}};
    expect_the_batch<TypeParam>(c, {8, 3, 0, 3});
  }
}

Case of_floats(int features) {
  Case c(features);
  c.bytes.clear();
  c.channel.clear();
  c.values = {-0.0f, 1e-45f, -3e38f, std::numeric_limits<float>::infinity()};
  while (c.values.size() < static_cast<std::size_t>(Case::kSamples) * features)
    c.values.push_back(0.37f * static_cast<float>(c.values.size()) - 11);
  return c;
}

TYPED_TEST(GatherBatchOn, TakesFloatsAsTheyAre) {
  for (int features : {1, 33, 257, 1023, 1024, 1025}) expect_the_batch<TypeParam>(of_floats(features), {5, 2, 0, 3});
  expect_the_batch<TypeParam>(of_floats(33), {8, 3, 1, 2});
}

constexpr ImageShape kImages[] = {{2, 2, 1},  {5, 3, 1},  {8, 8, 1},    {28, 28, 1}, {33, 31, 1}, {3, 5, 2},
                                  {4, 7, 3},  {9, 10, 3}, {32, 32, 3},  {2, 70, 3},  {70, 2, 4},  {2, 2, 200},
                                  {1, 11, 3}, {11, 1, 3}, {1, 1, 1000}, {1, 64, 3},  {1, 342, 3}, {1, 65, 3}};

TYPED_TEST(GatherBatchOn, ScalesEveryChannelInItsOwnWay) {
  for (const ImageShape& image : kImages) expect_the_batch<TypeParam>(Case(image), {5, 2, 0, 3});
}

TYPED_TEST(GatherBatchOn, CropsAndMirrorsImagesAtRandom) {
  for (const ImageShape& image : kImages)
    if (image.height > 1 && image.width > 1)
      for (const std::uint64_t step : {0ull, 7ull, 1ull << 33}) {
        SCOPED_TRACE(testing::Message() << image.height << " x " << image.width << " x " << image.channels);
        expect_the_batch<TypeParam>(Case(image), {5, step, 0, 3, true});
      }
}

/// One image is enough to see all of them: 162 differ, and 600 rows draw them.
TYPED_TEST(GatherBatchOn, CropsReachEveryPlaceOfThePaddingBothWays) {
  const Case c(ImageShape{6, 5, 3});
  const Request request{.batch = 300, .step = 4, .first_node = 1, .nodes = 2, .augment = true};
  std::set<std::array<std::uint32_t, 3>> crops;
  for (int row = 0; row < 600; ++row) {
    const auto [first, second, third, unused] = crop_bits(c, request, row);
    crops.insert(
        {static_cast<std::uint32_t>(first * 9ull >> 32), static_cast<std::uint32_t>(second * 9ull >> 32), third >> 31});
  }
  EXPECT_GT(crops.size(), 150u);
  expect_the_batch<TypeParam>(c, request);
}

TYPED_TEST(GatherBatchOn, AugmentsAWaveAsAPartOfTheWhole) {
  const Case c(ImageShape{8, 8, 1});
  expect_the_batch<TypeParam>(c, {8, 3, 1, 2, true});
  expect_the_batch<TypeParam>(c, {8, 3, 2, 1, true});
}

/// What the crop is shows in an image whose pixels are all different, if its middle stays: by where the padding is.
TEST(GatherBatch, CropsAreEquallyLikely) {
  Case c(ImageShape{12, 12, 1});
  c.channel = {{1, 0}};
  for (int i = 0; i < Case::kSamples * c.features; ++i) c.bytes[i] = static_cast<std::uint8_t>(1 + i % c.features);
  std::map<std::array<int, 3>, int> seen;  // (dy, dx, flip)
  constexpr int kSteps = 400, kBatch = 81;
  for (std::uint64_t step = 0; step < kSteps; ++step) {
    const Batch out = gather(tested_cpu(2), c, {kBatch, step, 0, 3, true});
    for (std::size_t row = 0; row < out.label.size(); ++row) {
      const float* image = &out.input[row * c.features];
      const bool flip = image[5 * 12 + 5] > image[5 * 12 + 6];
      const int middle = static_cast<int>(image[5 * 12 + (flip ? 6 : 5)]) - 1;  // of the crop is this pixel's number
      ++seen[{middle / 12 - 5 + 4, middle % 12 - 5 + 4, flip}];
    }
  }
  ASSERT_EQ(seen.size(), 9u * 9 * 2);
  constexpr double kMean = kSteps * kBatch * 3 / 162.0;
  double chi_square = 0;
  for (const auto& [crop, count] : seen) {
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(crop[i] >= 0 && crop[i] <= 8) << crop[i];
    chi_square += (count - kMean) * (count - kMean) / kMean;
  }
  EXPECT_NEAR(chi_square, 161, 4 * std::sqrt(2 * 161.0));
}

TEST(GatherBatch, CoversAllSamplesOfANodeInEveryPass) {
  Case c;
  for (int i = 0; i < Case::kSamples; ++i) c.label[i] = static_cast<std::uint8_t>(i);
  std::vector<std::int32_t> labels;  // of node 2, steps of 8
  for (std::uint64_t step = 0; step < 23; ++step) {
    const Batch out = gather(tested_cpu(1), c, {8, step, 2, 1});
    labels.insert(labels.end(), out.label.begin(), out.label.end());
  }
  std::vector<std::int32_t> owned(c.sample.begin() + 6, c.sample.end()), previous;
  std::sort(owned.begin(), owned.end());
  for (int pass = 0; pass < 8; ++pass) {
    std::vector<std::int32_t> order(labels.begin() + pass * 23, labels.begin() + (pass + 1) * 23);
    EXPECT_NE(order, previous) << "pass " << pass << " repeats the order before it";
    previous = order;
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, owned) << "pass " << pass;
  }
}

TEST(GatherBatch, RefusesShapesThatDoNotFit) {
  Case c;
  EXPECT_THROW(gather(tested_cpu(1), c, {4, 0, 1, 3}), std::invalid_argument);  // a node too many
  c.identity.pop_back();
  EXPECT_THROW(gather(tested_cpu(1), c, {4, 0, 0, 2}), std::invalid_argument);
  c = Case();
  c.label.pop_back();
  EXPECT_THROW(gather(tested_cpu(1), c, {4, 0, 0, 2}), std::invalid_argument);
  c = Case(ImageShape{1, 9, 3});
  EXPECT_NO_THROW(gather(tested_cpu(1), c, {4, 0, 0, 2}));
  EXPECT_THROW(gather(tested_cpu(1), c, {4, 0, 0, 2, true}), std::invalid_argument);  // no image
  c.channel.pop_back();
  EXPECT_THROW(gather(tested_cpu(1), c, {4, 0, 0, 2}), std::invalid_argument);
  EXPECT_THROW(gather(tested_cpu(1), Case(ImageShape{9, 1, 3}), {4, 0, 0, 2, true}), std::invalid_argument);
  c = Case(ImageShape{3, 3, 2});
  c.image = {3, 2, 2};
  EXPECT_THROW(gather(tested_cpu(1), c, {4, 0, 0, 2}), std::invalid_argument);
  EXPECT_NO_THROW(gather(tested_cpu(1), of_floats(6), {4, 0, 0, 2}));
  c = of_floats(6);
  c.image = {3, 2, 1};
  EXPECT_THROW(gather(tested_cpu(1), c, {4, 0, 0, 2, true}), std::invalid_argument);  // floats have no black
  c.channel.push_back({});
  EXPECT_THROW(gather(tested_cpu(1), c, {4, 0, 0, 2}), std::invalid_argument);
  c = Case();
  std::vector<float> input(3 * c.features);
  GatherBatch part;
  part.batch = 2;
  part.input = {input.data(), 3, c.features};  // one and a half batches
  EXPECT_THROW(check_gather_batch_shapes(part), std::invalid_argument);
  part.batch = 0;
  EXPECT_THROW(check_gather_batch_shapes(part), std::invalid_argument);
}

template <class Backend>
class LoadSamplesOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(LoadSamplesOn, Backends);

TYPED_TEST(LoadSamplesOn, KeepsTheOrderOfTheSetForEveryNode) {
  for (const Case& c : {Case(1), Case(33), Case(1025), Case(3072), of_floats(1), of_floats(1025)}) {
    const int features = c.features;
    for (const auto& [range, nodes] : {std::pair{SampleRange{35, 5}, 1}, {{0, 40}, 2}, {{3, 1}, 3}, {{2, 7}, 4}})
      for_each_way_to_run<TypeParam>([&, range = range, nodes = nodes](const TypeParam& backend) {
        const int rows = nodes * range.count;
        const SetOn<TypeParam> set(backend, c);
        const Buffer<TypeParam, float> input(backend, rows, features);
        const Buffer<TypeParam, std::int32_t> label(backend, std::vector<std::int32_t>(rows, -1));
        load_samples(backend, set.view(), range, input.view(), label.span());
        std::vector<float> wanted;
        std::vector<std::int32_t> labels;
        for (int node = 0; node < nodes; ++node)
          for (int i = range.first; i < range.first + range.count; ++i) {
            labels.push_back(c.label[i]);
            for (int f = 0; f < features; ++f) wanted.push_back(c.input(i, f));
          }
        EXPECT_TRUE(same_values(input.to_host(), wanted)) << features << " features";
        EXPECT_EQ(label.to_host(), labels) << features << " features";
      });
  }
}

TEST(LoadSamples, RefusesShapesThatDoNotFit) {
  const Case c;
  const Cpu cpu = tested_cpu(1);
  const SetOn<Cpu> set(cpu, c);
  std::vector<float> input(5 * c.features);
  std::vector<std::int32_t> label(5);
  EXPECT_NO_THROW(load_samples(cpu, set.view(), {35, 5}, {input.data(), 5, c.features}, label));
  EXPECT_THROW(load_samples(cpu, set.view(), {36, 5}, {input.data(), 5, c.features}, label), std::invalid_argument);
  EXPECT_THROW(load_samples(cpu, set.view(), {0, 5}, {input.data(), 5, 32}, label), std::invalid_argument);
  EXPECT_THROW(load_samples(cpu, set.view(), {0, 4}, {input.data(), 4, c.features}, label), std::invalid_argument);
  EXPECT_THROW(load_samples(cpu, set.view(), {0, 3}, {input.data(), 5, c.features}, label), std::invalid_argument);
  EXPECT_THROW(load_samples(cpu, set.view(), {-1, 5}, {input.data(), 5, c.features}, label), std::invalid_argument);
  EXPECT_THROW(load_samples(cpu, set.view(), {0, 0}, {input.data(), 5, c.features}, label), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
