// Loops compiled once per vector level.
#pragma once
#include <type_traits>

#include "kernels/backend/vector_level.h"

namespace sparsepush {

#if defined(__x86_64__)

template <class Loop>
[[gnu::noinline, gnu::flatten, gnu::target("avx512f,avx512bw,avx512dq,avx512vl,fma")]] void run_avx512(
    const Loop& loop) {
  loop();
}

template <class Loop>
[[gnu::noinline, gnu::flatten, gnu::target("avx2,fma")]] void run_avx2(const Loop& loop) {
  loop();
}

/// Calls `loop`, a lambda: with everything it calls it becomes part of a function for `level` and is vectorised for it.
/// (Function clones would do the same by an ifunc, which sanitizers cannot load.)
template <class Loop>
void run_vectorized(VectorLevel level, const Loop& loop) {
  switch (level) {
    case VectorLevel::kAvx512:
      return run_avx512(loop);
    case VectorLevel::kAvx2:
      return run_avx2(loop);
    case VectorLevel::kBaseline:
      return loop();
  }
}

/// Does what run_vectorized does for loops written with vector types: calls loop(floats), floats() being how many of
/// them one vector holds.
template <class Loop>
void run_with_vectors(VectorLevel level, const Loop& loop) {
  switch (level) {
    case VectorLevel::kAvx512:
      return run_avx512([&] { loop(std::integral_constant<int, 16>{}); });
    case VectorLevel::kAvx2:
      return run_avx2([&] { loop(std::integral_constant<int, 8>{}); });
    case VectorLevel::kBaseline:
      return loop(std::integral_constant<int, 4>{});
  }
}

#else

template <class Loop>
void run_vectorized(VectorLevel, const Loop& loop) {
  loop();
}

template <class Loop>
void run_with_vectors(VectorLevel, const Loop& loop) {
  loop(std::integral_constant<int, 4>{});
}

#endif

}  // namespace sparsepush
