#include "kernels/gather_batch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/buffer.h"
#include "kernels/random.h"

namespace sparsepush {
namespace {

/// Three nodes with 1, 5 and 23 samples of a set of 40 with 33 features.
struct Case {
  static constexpr int kSamples = 40, kFeatures = 33;
  std::vector<std::uint8_t> bytes, label;
  std::vector<std::int64_t> begin = {0, 1, 6, 29};
  std::vector<std::int32_t> sample;
  std::vector<std::uint64_t> seed = {7, 7, 1ull << 40 | 8};
  std::vector<std::int32_t> identity = {0, 1, 0};

  Case() {
    for (int i = 0; i < kSamples * kFeatures; ++i) bytes.push_back(static_cast<std::uint8_t>(i * 37 + i / 256));
    for (int i = 0; i < kSamples; ++i) label.push_back(static_cast<std::uint8_t>(i % 11));
    for (int i = 0; i < 29; ++i) sample.push_back((i * 7 + 3) % kSamples);
  }
  SampleView set() const {
    return {.bytes = {bytes.data(), kSamples, kFeatures}, .label = label, .scale = 1.f / 16, .offset = -0.3f};
  }
};

struct Batch {
  std::vector<float> input;
  std::vector<std::int32_t> label;
};

Batch gather(const Case& c, int threads, int batch, std::uint64_t step, int first_node, int nodes) {
  const Cpu cpu(threads);
  Batch out{std::vector<float>(nodes * batch * Case::kFeatures), std::vector<std::int32_t>(nodes * batch)};
  gather_batch(cpu, {.set = c.set(),
                     .owned = {c.begin, c.sample},
                     .first_node = first_node,
                     .batch = batch,
                     .step = step,
                     .seed = c.seed,
                     .identity = c.identity,
                     .input = {out.input.data(), nodes * batch, Case::kFeatures},
                     .label = out.label});
  return out;
}

/// The contract, one sample at a time.
int expected_sample(const Case& c, int node, std::uint64_t position) {
  const std::uint64_t n = c.begin[node + 1] - c.begin[node];
  const Draw draw{.seed = c.seed[node],
                  .stream = Stream::kShuffle,
                  .node = static_cast<std::uint64_t>(c.identity[node]),
                  .step = position / n};
  return c.sample[c.begin[node] + random_permutation(draw, position % n, n)];
}

TEST(GatherBatch, TakesTheSamplesOfTheEndlessSequence) {
  const Case c;
  for (int batch : {1, 7, 8, 9, 16, 40})
    for (std::uint64_t step : {0ull, 1ull, 5ull, 1000000007ull, 1ull << 33})
      for (int threads : {1, 2}) {
        const Batch out = gather(c, threads, batch, step, 0, 3);
        for (int row = 0; row < 3 * batch; ++row) {
          const int sample = expected_sample(c, row / batch, step * batch + row % batch);
          EXPECT_EQ(out.label[row], c.label[sample]) << "batch " << batch << ", step " << step << ", row " << row;
          for (int f = 0; f < Case::kFeatures; ++f)
            ASSERT_EQ(out.input[row * Case::kFeatures + f],
                      std::fma(1.f / 16, static_cast<float>(c.bytes[sample * Case::kFeatures + f]), -0.3f));
        }
      }
}

TEST(GatherBatch, CoversAllSamplesOfANodeInEveryPass) {
  Case c;
  for (int i = 0; i < Case::kSamples; ++i) c.label[i] = static_cast<std::uint8_t>(i);
  std::vector<std::int32_t> labels;  // of node 2, steps of 8
  for (int step = 0; step < 23; ++step) {
    const Batch out = gather(c, 1, 8, step, 2, 1);
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

TEST(GatherBatch, OfAWaveIsAPartOfTheWhole) {
  const Case c;
  const Batch all = gather(c, 2, 8, 3, 0, 3), last = gather(c, 1, 8, 3, 1, 2);
  EXPECT_TRUE(std::equal(last.input.begin(), last.input.end(), all.input.begin() + 8 * Case::kFeatures));
  EXPECT_TRUE(std::equal(last.label.begin(), last.label.end(), all.label.begin() + 8));
}

TEST(GatherBatch, RefusesShapesThatDoNotFit) {
  Case c;
  EXPECT_THROW(gather(c, 1, 4, 0, 1, 3), std::invalid_argument);  // a node too many
  c.identity.pop_back();
  EXPECT_THROW(gather(c, 1, 4, 0, 0, 2), std::invalid_argument);
  c = Case();
  c.label.pop_back();
  EXPECT_THROW(gather(c, 1, 4, 0, 0, 2), std::invalid_argument);
  std::vector<float> input(3 * Case::kFeatures);
  GatherBatch part;
  part.batch = 2;
  part.input = {input.data(), 3, Case::kFeatures};  // one and a half batches
  EXPECT_THROW(check_gather_batch_shapes(part), std::invalid_argument);
  part.batch = 0;
  EXPECT_THROW(check_gather_batch_shapes(part), std::invalid_argument);
}

TEST(LoadSamples, KeepsTheOrderOfTheSet) {
  const Case c;
  const Cpu cpu(2);
  std::vector<float> input(5 * Case::kFeatures);
  std::vector<std::int32_t> label(5);
  const MatrixView<float> view{input.data(), 5, Case::kFeatures};
  load_samples(cpu, c.set(), 35, view, label);
  for (int i = 0; i < 5 * Case::kFeatures; ++i)
    EXPECT_EQ(input[i], std::fma(1.f / 16, static_cast<float>(c.bytes[35 * Case::kFeatures + i]), -0.3f));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(label[i], c.label[35 + i]);
  EXPECT_THROW(load_samples(cpu, c.set(), 36, view, label), std::invalid_argument);
  EXPECT_THROW(load_samples(cpu, c.set(), 0, {input.data(), 5, 32}, label), std::invalid_argument);
  EXPECT_THROW(load_samples(cpu, c.set(), 0, {input.data(), 4, Case::kFeatures}, label), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
