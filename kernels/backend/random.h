// Counter-based random numbers: every draw is a function of (seed, purpose, node, step, index), never of a generator's
// state, so that results do not depend on the order or place of the draws.
#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

namespace sparsepush {

/// What a random number is for. Values are part of the reproducibility of runs: never renumber.
enum class Purpose : std::uint32_t {
  kInitialize = 1,  ///< initial parameters
  kPartition = 2,   ///< which node gets which sample
  kShuffle = 3,     ///< order of a node's samples in an epoch
  kTopology = 4,    ///< random topologies
  kSynthetic = 5,   ///< the synthetic data set
  kAugment = 6,     ///< crops and mirror images of a batch
  kCompress = 7,    ///< what compressors round by, keep or begin with
};

using PhiloxBlock = std::array<std::uint32_t, 4>;

/// Computes Philox4x32-10 of Salmon et al. 2011 ([Philox], doi 10.1145/2063384.2063405): 128 random bits for a counter
/// and key.
constexpr PhiloxBlock philox(PhiloxBlock counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = 0xD2511F53ull * counter[0];
    const std::uint64_t product1 = 0xCD9E8D57ull * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

/// Where a random number stands. `node`, `step` and `index` are each used modulo 2^32.
struct Draw {
  std::uint64_t seed;
  Purpose purpose;
  std::uint64_t node = 0;
  std::uint64_t step = 0;
  std::uint64_t index = 0;
};

/// Returns 128 random bits for one draw.
constexpr PhiloxBlock random_bits(const Draw& d) {
  return philox({static_cast<std::uint32_t>(d.index), static_cast<std::uint32_t>(d.step),
                 static_cast<std::uint32_t>(d.node), static_cast<std::uint32_t>(d.purpose)},
                {static_cast<std::uint32_t>(d.seed), static_cast<std::uint32_t>(d.seed >> 32)});
}

/// Draws uniformly from [0, 1), with 53 bits.
constexpr double random_uniform(const Draw& d) {
  const PhiloxBlock bits = random_bits(d);
  return static_cast<double>(((static_cast<std::uint64_t>(bits[0]) << 32) | bits[1]) >> 11) * 0x1p-53;
}

/// Draws from the standard normal distribution, by Box and Muller from the draw's two halves.
inline double random_normal(const Draw& draw) {
  const PhiloxBlock bits = random_bits(draw);
  const auto uniform = [&bits](int half) {  // in (0, 1)
    const std::uint64_t word = (static_cast<std::uint64_t>(bits[2 * half]) << 32) | bits[2 * half + 1];
    return (static_cast<double>(word >> 12) + 0.5) * 0x1p-52;
  };
  return std::sqrt(-2 * std::log(uniform(0))) * std::cos(2 * std::numbers::pi * uniform(1));
}

/// Draws uniformly from [0, bound), bound >= 1, by multiplication of 64 random bits (bias below bound * 2^-64).
constexpr std::uint64_t random_below(const Draw& d, std::uint64_t bound) {
  const PhiloxBlock bits = random_bits(d);
  __extension__ using Wide = unsigned __int128;
  const std::uint64_t word = (static_cast<std::uint64_t>(bits[0]) << 32) | bits[1];
  return static_cast<std::uint64_t>((static_cast<Wide>(word) * bound) >> 64);
}

/// Returns the position of item `index` in the random order of `count` items that belongs to the draw (its own `index`
/// is ignored):
/// a bijection of [0, count) computed without storing it, by a Feistel cipher over Philox with cycle walking. The
/// cipher works on high * 2^low_bits + low with the fewest values of `high` that cover `count`, so that walks are
/// short. An `index` that a walk has left in [count, high_count * 2^low_bits) goes on from there.
constexpr std::uint32_t random_permutation(Draw d, std::uint32_t index, std::uint32_t count) {
  constexpr std::uint32_t kFeistelRounds = 6;
  int low_bits = 1;
  while ((1ull << (2 * low_bits)) < count) ++low_bits;
  const std::uint32_t mask = (1u << low_bits) - 1, high_count = ((count - 1) >> low_bits) + 1;
  do {
    std::uint32_t high = index >> low_bits, low = index & mask;
    for (std::uint32_t round = 0; round < kFeistelRounds; ++round) {
      const bool mix_high = round % 2 == 0;
      d.index = (round << 24) ^ (mix_high ? low : high);
      const std::uint32_t bits = random_bits(d)[0];
      if (mix_high) {
        high += static_cast<std::uint32_t>((static_cast<std::uint64_t>(bits) * high_count) >> 32);
        high -= high >= high_count ? high_count : 0;
      } else {
        low ^= bits & mask;
      }
    }
    index = (high << low_bits) | low;
  } while (index >= count);
  return index;
}

}  // namespace sparsepush
