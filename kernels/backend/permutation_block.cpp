#include "kernels/backend/permutation_block.h"

#include <algorithm>

#include "kernels/backend/multiversion.h"

namespace sparsepush {
namespace {

constexpr int kLanes = PermutationBlock::kLanes;

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
void permute_once(PermutationBlock* block) {
  using Vector = typename Words<kFloats>::Vector;
  constexpr int kSize = Words<kFloats>::kSize, kVectors = kLanes / kSize;
  int low_bits = 1;
  while ((1ull << (2 * low_bits)) < block->count) ++low_bits;
  const std::uint64_t mask = (1u << low_bits) - 1, high_count = ((block->count - 1) >> low_bits) + 1;
  const Vector node = Vector{} + static_cast<std::uint32_t>(block->draw.node);
  const Vector purpose = Vector{} + static_cast<std::uint64_t>(block->draw.purpose);
  alignas(64) std::array<std::uint64_t, kLanes> high, low, step;
  for (int i = 0; i < kLanes; ++i) {
    high[i] = block->index[i] >> low_bits;
    low[i] = block->index[i] & mask;
    step[i] = block->step[i];
  }
  const auto vectors = [](auto& words) { return reinterpret_cast<Vector*>(words.data()); };
  for (std::uint64_t round = 0; round < 6; ++round) {
    const bool mix_high = round % 2 == 0;
    Counters<kFloats> bits[kVectors] = {};
    for (int v = 0; v < kVectors; ++v)
      bits[v] = {
          .c0 = vectors(mix_high ? low : high)[v] ^ (round << 24), .c1 = vectors(step)[v], .c2 = node, .c3 = purpose};
    philox(bits, block->draw.seed);
    for (int v = 0; v < kVectors; ++v) {
      if (mix_high) {
        const Vector sum = vectors(high)[v] + ((bits[v].c0 * high_count) >> 32);
        vectors(high)[v] = sum - (sum >= high_count ? Vector{} + high_count : Vector{});
      } else {
        vectors(low)[v] ^= bits[v].c0 & mask;
      }
    }
  }
  for (int i = 0; i < kLanes; ++i) block->index[i] = static_cast<std::uint32_t>((high[i] << low_bits) | low[i]);
}

/// Goes on from indices beyond `count` until there are none.
template <int kFloats>
void permute_all(PermutationBlock* block) {
  permute_once<kFloats>(block);
  while (*std::ranges::max_element(block->index) >= block->count) {
    PermutationBlock further = *block;
    permute_once<kFloats>(&further);
    for (int i = 0; i < kLanes; ++i)
      if (block->index[i] >= block->count) block->index[i] = further.index[i];
  }
}

}  // namespace

void permute(PermutationBlock* block, VectorLevel level) {
  run_with_vectors(level, [&](auto floats) { permute_all<floats()>(block); });
}

}  // namespace sparsepush
