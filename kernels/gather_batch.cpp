#include "kernels/gather_batch.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/check.h"
#include "kernels/multiversion.h"
#include "kernels/random.h"

namespace sparsepush {
namespace {

constexpr int kLanes = 16;  // positions walked at once: several vectors, one of which runs while another one waits

/// The walks of `random_permutation` for `kLanes` positions that differ in index and pass.
struct Walk {
  Draw draw;  ///< without step
  std::uint32_t count = 0;
  std::array<std::uint32_t, kLanes> pass{};
  std::array<std::uint32_t, kLanes> index{};  ///< in: position, out: item
};

/// 32 bits of a counter of Philox in each 64 of a vector.
template <int kFloats>
struct Words {
  static constexpr int kSize = kFloats / 2;
  using Vector [[gnu::vector_size(8 * kSize), gnu::may_alias]] = std::uint64_t;
};

/// A vector of Philox4x32-10: counters in, random words out.
template <int kFloats>
struct Counters {
  typename Words<kFloats>::Vector c0, c1, c2, c3;
};

template <int kFloats, int kVectors>
void philox(Counters<kFloats> (&counter)[kVectors], std::uint64_t seed) {
  constexpr std::uint64_t kWord = 0xffff'ffff;
  auto key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (auto& c : counter) {
      const auto product0 = 0xD2511F53ull * c.c0, product1 = 0xCD9E8D57ull * c.c2;
      c.c0 = (product1 >> 32) ^ c.c1 ^ static_cast<std::uint64_t>(key0);
      c.c1 = product1 & kWord;
      c.c2 = (product0 >> 32) ^ c.c3 ^ static_cast<std::uint64_t>(key1);
      c.c3 = product0 & kWord;
    }
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

/// One permutation of a range that is `count` or somewhat longer: an index may come to lie beyond `count`.
template <int kFloats>
void walk_once(Walk* walk) {
  using Vector = typename Words<kFloats>::Vector;
  constexpr int kSize = Words<kFloats>::kSize, kVectors = kLanes / kSize;
  int low_bits = 1;
  while ((1ull << (2 * low_bits)) < walk->count) ++low_bits;
  const std::uint64_t mask = (1u << low_bits) - 1, high_count = ((walk->count - 1) >> low_bits) + 1;
  const Vector node = Vector{} + static_cast<std::uint32_t>(walk->draw.node);
  const Vector stream = Vector{} + static_cast<std::uint64_t>(walk->draw.stream);
  alignas(64) std::array<std::uint64_t, kLanes> high, low, pass;
  for (int i = 0; i < kLanes; ++i) {
    high[i] = walk->index[i] >> low_bits;
    low[i] = walk->index[i] & mask;
    pass[i] = walk->pass[i];
  }
  const auto vectors = [](auto& words) { return reinterpret_cast<Vector*>(words.data()); };
  for (std::uint64_t round = 0; round < 6; ++round) {
    const bool mix_high = round % 2 == 0;
    Counters<kFloats> bits[kVectors] = {};
    for (int v = 0; v < kVectors; ++v)
      bits[v] = {
          .c0 = vectors(mix_high ? low : high)[v] ^ (round << 24), .c1 = vectors(pass)[v], .c2 = node, .c3 = stream};
    philox(bits, walk->draw.seed);
    for (int v = 0; v < kVectors; ++v) {
      if (mix_high) {
        const Vector sum = vectors(high)[v] + ((bits[v].c0 * high_count) >> 32);
        vectors(high)[v] = sum - (sum >= high_count ? Vector{} + high_count : Vector{});
      } else {
        vectors(low)[v] ^= bits[v].c0 & mask;
      }
    }
  }
  for (int i = 0; i < kLanes; ++i) walk->index[i] = static_cast<std::uint32_t>((high[i] << low_bits) | low[i]);
}

/// Walks on from indices beyond `count` until there are none.
template <int kFloats>
void walk_to_items(Walk* walk) {
  walk_once<kFloats>(walk);
  while (*std::ranges::max_element(walk->index) >= walk->count) {
    Walk further = *walk;
    walk_once<kFloats>(&further);
    for (int i = 0; i < kLanes; ++i)
      if (walk->index[i] >= walk->count) walk->index[i] = further.index[i];
  }
}

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
  Walk walk{
      .draw = {.seed = g.seed[node], .stream = Stream::kShuffle, .node = static_cast<std::uint32_t>(g.identity[node])},
      .count = static_cast<std::uint32_t>(g.owned.begin[node + 1] - begin)};
  std::uint64_t pass = first / walk.count;
  std::uint32_t index = static_cast<std::uint32_t>(first % walk.count);
  for (int i = 0; i < kLanes; ++i) {
    walk.pass[i] = static_cast<std::uint32_t>(pass);
    walk.index[i] = index;
    if (++index == walk.count) ++pass, index = 0;
  }
  run_with_vectors([&](auto floats) { walk_to_items<floats()>(&walk); });
  std::array<std::int32_t, kLanes> sample;
  for (int i = 0; i < kLanes; ++i) {
    sample[i] = g.owned.sample[begin + walk.index[i]];
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
