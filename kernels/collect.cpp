#include "kernels/running_topk.h"
#include "kernels/view.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sparsepush {
namespace {

std::int64_t collect_baseline(const float* v, std::int64_t first, std::int64_t size, std::uint32_t threshold,
                              Collected to) {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    const std::uint32_t key = magnitude_key(v[i]);
    to.position[count] = static_cast<std::int32_t>(first + i);
    to.key[count] = key;
    count += key >= threshold;  // no branch: what is not wanted is overwritten
  }
  return count;
}

#if defined(__x86_64__)
/// Compresses in registers and stores whole vectors: compressing stores are many times slower on Zen 4.
[[gnu::target("avx512f,avx512bw,avx512vl,popcnt")]] std::int64_t collect_avx512(const float* v, std::int64_t first,
                                                                                std::int64_t size,
                                                                                std::uint32_t threshold, Collected to) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fff'ffff);
  const __m512i nan = _mm512_set1_epi32(0x7f80'0001);
  const __m512i limit = _mm512_set1_epi32(static_cast<int>(threshold));
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < size; i += 16) {
    const __mmask16 live = i + 16 <= size ? 0xffff : static_cast<__mmask16>((1u << (size - i)) - 1);
    const __m512i bits = _mm512_maskz_loadu_epi32(live, v + i);
    const __m512i key = _mm512_maskz_min_epu32(live, _mm512_and_si512(bits, magnitude), nan);
    const __mmask16 wanted = _mm512_mask_cmpge_epu32_mask(live, key, limit);
    const __m512i position = _mm512_add_epi32(lanes, _mm512_set1_epi32(static_cast<int>(first + i)));
    _mm512_storeu_si512(to.position + count, _mm512_maskz_compress_epi32(wanted, position));
    _mm512_storeu_si512(to.key + count, _mm512_maskz_compress_epi32(wanted, key));
    count += __builtin_popcount(wanted);
  }
  return count;
}
#endif

}  // namespace

std::int64_t collect(const float* v, std::int64_t first, std::int64_t size, std::uint32_t threshold, Collected to,
                     VectorLevel level) {
#if defined(__x86_64__)
  if (level == VectorLevel::kAvx512) return collect_avx512(v, first, size, threshold, to);
#endif
  static_cast<void>(level);
  return collect_baseline(v, first, size, threshold, to);
}

}  // namespace sparsepush
