// The inner loop of selection: compute elements, look at them while they are in registers, keep what may matter.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "kernels/multiversion.h"
#include "kernels/view.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sparsepush {

/// `collect` and `compact` write whole vectors: behind what they keep they need room for this many positions.
inline constexpr std::int64_t kCollectSlack = 16;
/// The longest piece that is collected at once: its four arrays fit L1, its mask bits a few lines.
inline constexpr std::int64_t kLongestPiece = 1024;

struct CollectCount {
  std::int64_t collected = 0;
  std::uint32_t largest = 0;  ///< largest key of all elements, collected or not
};

/// The elements at the positions [begin, end) of a row, at most kLongestPiece.
struct Piece {
  const float* row;
  std::int64_t begin, end;
};

template <class Prepare>
CollectCount collect_portable(const Piece& piece, std::uint32_t threshold, std::int32_t* to, const Prepare& prepare,
                              VectorLevel level) {
  run_vectorized(
      [&]() __attribute__((always_inline)) { prepare(piece.begin, piece.end - piece.begin); }, level);
  CollectCount count;
  for (std::int64_t position = piece.begin; position < piece.end; ++position) {
    const std::uint32_t key = magnitude_key(piece.row[position]);
    to[count.collected] = static_cast<std::int32_t>(position);
    count.collected += key >= threshold;  // no branch: what is not wanted is overwritten
    count.largest = std::max(count.largest, key);
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

/// First pass: compute, and note one bit an element, so that the stream of loads and stores is hardly disturbed.
/// Second pass: the positions of the bits.
template <class Prepare>
[[gnu::target("avx512f,avx512bw,avx512vl,avx512vbmi2,fma,popcnt")]] CollectCount collect_avx512(
    const Piece& piece, std::uint32_t threshold, std::int32_t* to, const Prepare& prepare_lanes) {
  const Prepare prepare = prepare_lanes;  // in registers, since no store can reach a local
  const __m512i magnitude = _mm512_set1_epi32(0x7fff'ffff), limit = _mm512_set1_epi32(static_cast<int>(threshold));
  __m512i largest = _mm512_setzero_si512();
  std::array<std::uint64_t, kLongestPiece / 64> words{};
  const auto* const row = piece.row;
  auto* const masks = reinterpret_cast<std::uint8_t*>(words.data());
  for (std::int64_t i = piece.begin; i < piece.end; i += 16) {
    const std::int64_t left = piece.end - i;
    const __mmask16 live = left >= 16 ? 0xffff : static_cast<__mmask16>((1u << left) - 1);
    if (left >= 16) {
      prepare(i, std::int64_t{16});  // a constant, so that this is straight vector code
    } else {
      prepare(i, left);
    }
    const __m512i bits = _mm512_maskz_and_epi32(live, _mm512_maskz_loadu_epi32(live, row + i), magnitude);
    const __mmask16 wanted = _mm512_mask_cmpge_epu32_mask(live, bits, limit);
    std::memcpy(masks + (i - piece.begin) / 8, &wanted, sizeof wanted);
    largest = _mm512_maskz_max_epu32(0xffff, largest, bits);
  }
  __m512i bytes = _mm512_loadu_si512(kByteIndex.data());
  std::int64_t collected = 0;
  for (std::int64_t begin = piece.begin; begin < piece.end; begin += 64) {
    collected += append_bits(to + collected, words[(begin - piece.begin) / 64], bytes, begin);
  }
  std::array<std::uint32_t, 16> lane_largest;
  _mm512_storeu_si512(lane_largest.data(), largest);
  return {collected, *std::max_element(lane_largest.begin(), lane_largest.end())};
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

/// Calls prepare(begin, count) for consecutive stretches of the piece, each just before it is looked at, and writes the
/// positions of the elements with magnitude_key >= threshold, in order. Every level gives the same positions; `largest`
/// may differ in how it tells NaNs apart.
template <class Prepare>
CollectCount collect(const Piece& piece, std::uint32_t threshold, std::int32_t* to, const Prepare& prepare,
                     VectorLevel level = vector_level()) {
#if defined(__x86_64__)
  if (level == VectorLevel::kAvx512) return collect_avx512(piece, threshold, to, prepare);
#endif
  return collect_portable(piece, threshold, to, prepare, level);
}

/// Keeps those of the first `size` positions whose key is >= threshold, in order and in place. Returns how many.
inline std::int64_t compact(std::int32_t* position, const std::uint32_t* key, std::int64_t size,
                            std::uint32_t threshold, VectorLevel level = vector_level()) {
#if defined(__x86_64__)
  if (level == VectorLevel::kAvx512) return compact_avx512(position, key, size, threshold);
#endif
  static_cast<void>(level);
  return compact_portable(position, key, size, threshold);
}

}  // namespace sparsepush
