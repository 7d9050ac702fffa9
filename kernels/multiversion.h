// Loops compiled once per vector width, the widest that the processor has being run.
#pragma once
#include <type_traits>

namespace sparsepush {

/// How wide a processor's vectors are. Results do not depend on it, except in files that are compiled with contraction:
/// there a level with fma rounds once where another one rounds twice.
enum class VectorLevel {
  kBaseline,
  kAvx2,
  kAvx512,  ///< Zen 4, Ice Lake and later
};

#if defined(__x86_64__)

inline VectorLevel vector_level() {
  if (__builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    return VectorLevel::kAvx512;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? VectorLevel::kAvx2 : VectorLevel::kBaseline;
}

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
void run_vectorized(const Loop& loop, VectorLevel level = vector_level()) {
  switch (level) {
    case VectorLevel::kAvx512:
      return run_avx512(loop);
    case VectorLevel::kAvx2:
      return run_avx2(loop);
    case VectorLevel::kBaseline:
      return loop();
  }
}

/// The same for loops written with vector types: calls loop(floats), floats() being how many of them one vector holds.
template <class Loop>
void run_with_vectors(const Loop& loop, VectorLevel level = vector_level()) {
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

inline VectorLevel vector_level() { return VectorLevel::kBaseline; }

template <class Loop>
void run_vectorized(const Loop& loop, VectorLevel = VectorLevel::kBaseline) {
  loop();
}

template <class Loop>
void run_with_vectors(const Loop& loop, VectorLevel = VectorLevel::kBaseline) {
  loop(std::integral_constant<int, 4>{});
}

#endif

}  // namespace sparsepush
