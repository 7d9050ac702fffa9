#include "kernels/gather_batch.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/check.h"
#include "kernels/multiversion.h"
#include "kernels/permutation_block.h"

namespace sparsepush {
namespace {

constexpr int kLanes = PermutationBlock::kLanes;

void convert(const std::uint8_t* bytes, float* input, int features, float scale, float offset) {
  for (int f = 0; f < features; ++f) input[f] = std::fma(scale, static_cast<float>(bytes[f]), offset);
}

/// Copies sample `sample` of the set to `input` as floats.
void load_sample(const SampleView& set, std::int64_t sample, float* input) {
  run_vectorized([&] { convert(set.bytes.row(sample), input, set.bytes.cols, set.scale, set.offset); });
}

/// Samples of the positions [first, first + kLanes) of the node's endless sequence.
std::array<std::int32_t, kLanes> samples_at(const GatherBatch& g, int node, std::uint64_t first) {
  const std::int64_t begin = g.owned.begin[node];
  PermutationBlock block{
      .draw = {.seed = g.seed[node], .stream = Stream::kShuffle, .node = static_cast<std::uint32_t>(g.identity[node])},
      .count = static_cast<std::uint32_t>(g.owned.begin[node + 1] - begin)};
  std::uint64_t pass = first / block.count;
  std::uint32_t index = static_cast<std::uint32_t>(first % block.count);
  for (int i = 0; i < kLanes; ++i) {
    block.step[i] = static_cast<std::uint32_t>(pass);
    block.index[i] = index;
    if (++index == block.count) ++pass, index = 0;
  }
  permute(&block);
  std::array<std::int32_t, kLanes> sample;
  for (int i = 0; i < kLanes; ++i) {
    sample[i] = g.owned.sample[begin + block.index[i]];
    __builtin_prefetch(g.set.bytes.row(sample[i]));
  }
  return sample;
}

/// The batch of node `node`, whose first sample is row `first_row` of the input.
void gather_node(const GatherBatch& g, int node, std::int64_t first_row) {
  for (int b = 0; b < g.batch; b += kLanes) {
    const auto sample =
        samples_at(g, node, static_cast<std::uint64_t>(*g.step) * static_cast<std::uint64_t>(g.batch) + b);
    for (int i = 0; i < std::min(kLanes, g.batch - b); ++i) {
      load_sample(g.set, sample[i], g.input.row(first_row + b + i));
      g.label[first_row + b + i] = g.set.label[sample[i]];
    }
  }
}

}  // namespace

void check_gather_batch_shapes(const GatherBatch& g) {
  CHECK(g.batch >= 1 && g.input.rows % g.batch == 0, "batch ", g.batch, ", input ", g.input);
  CHECK(g.input.cols == g.set.bytes.cols, "input ", g.input, ", set ", g.set.bytes);
  CHECK(g.label.size() == static_cast<std::size_t>(g.input.rows), "labels ", g.label.size(), ", input ", g.input);
  CHECK(g.set.label.size() == static_cast<std::size_t>(g.set.bytes.rows), "set ", g.set.bytes, ", labels ",
        g.set.label.size());
  const std::size_t end = static_cast<std::size_t>(g.first_node) + g.input.rows / g.batch;
  CHECK(g.first_node >= 0 && end <= g.seed.size(), "nodes up to ", end, " of ", g.seed.size());
  CHECK(g.identity.size() == g.seed.size() && g.owned.begin.size() == g.seed.size() + 1, "seeds ", g.seed.size(),
        ", identities ", g.identity.size(), ", begins ", g.owned.begin.size());
}

void gather_batch(const Cpu& cpu, const GatherBatch& gather) {
  check_gather_batch_shapes(gather);
  cpu.pool().run(gather.input.rows / gather.batch, [&gather](std::int64_t i, int) {
    gather_node(gather, gather.first_node + static_cast<int>(i), i * gather.batch);
  });
}

void check_load_samples_shapes(const SampleView& set, const SampleRange& range, MatrixView<float> input,
                               std::span<std::int32_t> label) {
  CHECK(input.cols == set.bytes.cols, "input ", input, ", set ", set.bytes);
  CHECK(range.first >= 0 && range.count >= 1 && range.count <= set.bytes.rows - range.first, "samples ", range.first,
        " + ", range.count, ", set ", set.bytes);
  CHECK(input.rows % range.count == 0, "input ", input, ", samples ", range.count);
  CHECK(label.size() == static_cast<std::size_t>(input.rows), "labels ", label.size(), ", input ", input);
  CHECK(set.label.size() == static_cast<std::size_t>(set.bytes.rows), "set ", set.bytes, ", labels ", set.label.size());
}

void load_samples(const Cpu& cpu, const SampleView& set, const SampleRange& range, MatrixView<float> input,
                  std::span<std::int32_t> label) {
  check_load_samples_shapes(set, range, input, label);
  cpu.pool().run(input.rows, [&](std::int64_t row, int) {
    const std::int64_t sample = range.first + row % range.count;
    load_sample(set, sample, input.row(row));
    label[row] = set.label[sample];
  });
}

}  // namespace sparsepush
