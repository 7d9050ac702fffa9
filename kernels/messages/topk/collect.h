// The inner loop of selection: takes elements as they are computed and notes which of them may matter.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "kernels/backend/float_bits.h"
#include "kernels/backend/multiversion.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sparsepush {

/// `collect` and `compact` write whole vectors: behind what they keep they need room for this many positions.
inline constexpr std::int64_t kCollectSlack = 16;
/// The longest tile that is collected at once: its four arrays fit L1, its mask bits a few lines.
inline constexpr std::int64_t kLongestTile = 1024;

struct CollectCount {
  std::int64_t collected = 0;
  std::uint32_t largest = 0;  ///< largest magnitude bits of all elements, collected or not
};

/// The positions [begin, end) of a row, at most kLongestTile.
struct RowTile {
  std::int64_t begin, end;
};

/// Goes on with `count` over element[0, size), which stand at the positions from `first` on.
inline CollectCount scan_portable(CollectCount count, const float* element, std::int64_t size, std::int64_t first,
                                  std::uint32_t threshold, std::int32_t* to) {
  for (std::int64_t i = 0; i < size; ++i) {
    const std::uint32_t bits = magnitude_bits(element[i]);
    to[count.collected] = static_cast<std::int32_t>(first + i);
    count.collected += bits >= threshold;  // no branch: what is not wanted is overwritten
    count.largest = std::max(count.largest, bits);
  }
  return count;
}

inline std::int64_t compact_portable(std::int32_t* position, const std::uint32_t* key, std::int64_t size,
                                     std::uint32_t threshold) {
  std::int64_t kept = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    position[kept] = position[i];
    kept += key[i] >= threshold;
  }
  return kept;
}

#if defined(__x86_64__)

/// One bit an element, 32 at a time: mostly few or none are set.
[[gnu::target("avx2")]] inline CollectCount scan_avx2(const float* element, std::int64_t size, std::int64_t first,
                                                      std::uint32_t threshold, std::int32_t* to) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fff'ffff), limit = _mm256_set1_epi32(static_cast<int>(threshold));
  __m256i largest = _mm256_setzero_si256();
  CollectCount count;
  std::int64_t i = 0;
  for (; i + 32 <= size; i += 32) {
    std::uint32_t below = 0;
    for (int offset = 0; offset < 32; offset += 8) {
      const __m256i bits = _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(element + i + offset)), magnitude);
      largest = _mm256_max_epu32(largest, bits);
      const __m256 is_below = _mm256_castsi256_ps(_mm256_cmpgt_epi32(limit, bits));
      below |= static_cast<std::uint32_t>(_mm256_movemask_ps(is_below)) << offset;
    }
    for (std::uint32_t wanted = ~below; wanted != 0; wanted &= wanted - 1)
      to[count.collected++] = static_cast<std::int32_t>(first + i + std::countr_zero(wanted));
  }
  alignas(32) std::array<std::uint32_t, 8> lanes;
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes.data()), largest);
  count.largest = *std::max_element(lanes.begin(), lanes.end());
  return scan_portable(count, element + i, size - i, first + i, threshold, to);
}

constexpr auto kByteIndex = [] {
  std::array<std::uint8_t, 64> index{};
  for (int i = 0; i < 64; ++i) index[i] = static_cast<std::uint8_t>(i);
  return index;
}();

/// Writes first + i for every bit i of `wanted`, 16 at a time: mostly fewer are set, and the branch is foreseen.
[[gnu::always_inline, gnu::target("avx512f,avx512bw,avx512vl,avx512vbmi2,fma,popcnt")]] inline std::int64_t append_bits(
    std::int32_t* to, std::uint64_t wanted, __m512i bytes, std::int64_t first) {
  alignas(64) std::array<std::uint8_t, 64> index;
  _mm512_store_si512(index.data(), _mm512_maskz_compress_epi8(wanted, bytes));
  const __m512i offset = _mm512_set1_epi32(static_cast<int>(first));
  const std::int64_t count = __builtin_popcountll(wanted);
  std::int64_t i = 0;
  do {
    const __m128i packed = _mm_load_si128(reinterpret_cast<const __m128i*>(index.data() + i));
    _mm512_storeu_si512(to + i, _mm512_add_epi32(_mm512_maskz_cvtepu8_epi32(0xffff, packed), offset));
    i += 16;
  } while (i < count);
  return count;
}

/// Notes one bit an element in `words`, so that the stream of loads and stores is hardly disturbed. Words are stored
/// whole: a load of several small stores would wait until all stores before them have reached the cache. Returns the
/// largest magnitude bits.
template <class Source>
[[gnu::always_inline, gnu::target("avx512f,avx512bw,avx512vl,avx512vbmi2,fma,popcnt")]] inline std::uint32_t
mark_wanted(const RowTile& tile, std::uint32_t threshold, std::uint64_t* words, const Source& source) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fff'ffff), limit = _mm512_set1_epi32(static_cast<int>(threshold));
  __m512i largest = _mm512_setzero_si512();
  alignas(64) std::array<float, 16> element;  // a register: read back from its row it would wait for the store
  const auto note = [&](__mmask16 live)
      __attribute__((always_inline, target("avx512f,avx512bw,avx512vl,avx512vbmi2,fma,popcnt"))) {
    const __m512i bits = _mm512_maskz_and_epi32(live, _mm512_load_si512(element.data()), magnitude);
    largest = _mm512_maskz_max_epu32(0xffff, largest, bits);
    return static_cast<std::uint64_t>(_mm512_mask_cmpge_epu32_mask(live, bits, limit));
  };
  std::int64_t i = tile.begin;
  for (; i + 64 <= tile.end; i += 64) {
    std::uint64_t word = 0;
    for (int quarter = 0; quarter < 4; ++quarter) {
      source(i + 16 * quarter, std::int64_t{16}, element.data());  // a constant, so that this is straight vector code
      word |= note(0xffff) << (16 * quarter);
    }
    *words++ = word;
  }
  for (int shift = 0; i < tile.end; i += 16, shift += 16) {
    const std::int64_t count = std::min<std::int64_t>(16, tile.end - i);
    source(i, count, element.data());
    *words |= note(static_cast<__mmask16>((1u << count) - 1)) << shift;
  }
  std::array<std::uint32_t, 16> lanes;
  _mm512_storeu_si512(lanes.data(), largest);
  return *std::max_element(lanes.begin(), lanes.end());
}

template <class Source>
[[gnu::target("avx512f,avx512bw,avx512vl,avx512vbmi2,fma,popcnt")]] CollectCount collect_avx512(
    const RowTile& tile, std::uint32_t threshold, std::int32_t* to, const Source& elements) {
  const Source source = elements;  // in registers, since no store can reach a local
  std::array<std::uint64_t, kLongestTile / 64> words{};
  CollectCount count{.largest = mark_wanted(tile, threshold, words.data(), source)};
  const __m512i bytes = _mm512_loadu_si512(kByteIndex.data());
  for (std::int64_t begin = tile.begin; begin < tile.end; begin += 64) {
    count.collected += append_bits(to + count.collected, words[(begin - tile.begin) / 64], bytes, begin);
  }
  return count;
}

/// Compresses in registers and stores whole vectors: compressing stores are many times slower on Zen 4.
[[gnu::target("avx512f,avx512bw,avx512vl,popcnt")]] inline std::int64_t compact_avx512(std::int32_t* position,
                                                                                       const std::uint32_t* key,
                                                                                       std::int64_t size,
                                                                                       std::uint32_t threshold) {
  const __m512i limit = _mm512_set1_epi32(static_cast<int>(threshold));
  std::int64_t kept = 0;
  for (std::int64_t i = 0; i < size; i += 16) {
    const __mmask16 live = size - i >= 16 ? 0xffff : static_cast<__mmask16>((1u << (size - i)) - 1);
    const __mmask16 wanted = _mm512_mask_cmpge_epu32_mask(live, _mm512_maskz_loadu_epi32(live, key + i), limit);
    const __m512i all = _mm512_maskz_loadu_epi32(live, position + i);
    _mm512_storeu_si512(position + kept, _mm512_maskz_compress_epi32(wanted, all));
    kept += __builtin_popcount(wanted);
  }
  return kept;
}

#endif

/// Collects the elements of a tile that reach a threshold. source(begin, count, out) is called for all elements of the
/// tile, some at a time, and writes them to `out` (it may compute and store them on the way). Writes the positions of
/// the elements with magnitude_key >= threshold, in order. Every level gives the same result.
template <class Source>
CollectCount collect(const RowTile& tile, std::uint32_t threshold, std::int32_t* to, const Source& source,
                     VectorLevel level) {
#if defined(__x86_64__)
  if (level == VectorLevel::kAvx512) return collect_avx512(tile, threshold, to, source);
#endif
  const std::int64_t size = tile.end - tile.begin;
  std::array<float, kLongestTile> element;
  run_vectorized(
      level, [&]() __attribute__((always_inline)) { source(tile.begin, size, element.data()); });
#if defined(__x86_64__)
  if (level == VectorLevel::kAvx2) return scan_avx2(element.data(), size, tile.begin, threshold, to);
#endif
  return scan_portable({}, element.data(), size, tile.begin, threshold, to);
}

/// Keeps those of the first `size` positions whose key is >= threshold, in order and in place. Returns how many.
inline std::int64_t compact(std::int32_t* position, const std::uint32_t* key, std::int64_t size,
                            std::uint32_t threshold, VectorLevel level) {
#if defined(__x86_64__)
  if (level == VectorLevel::kAvx512) return compact_avx512(position, key, size, threshold);
#endif
  static_cast<void>(level);
  return compact_portable(position, key, size, threshold);
}

}  // namespace sparsepush
