// One source, compiled for several vector widths of x86-64.
#pragma once

namespace sparsepush {

template <auto Body, class... Args>
[[gnu::target("arch=x86-64-v4"), gnu::flatten]] void with_avx512(Args... args) {
  Body(args...);
}
template <auto Body, class... Args>
[[gnu::target("arch=x86-64-v3"), gnu::flatten]] void with_avx2(Args... args) {
  Body(args...);
}

/// Body(args...) with the widest vectors and the fma instruction of this machine; the same results on every machine.
/// In place of gnu::target_clones, whose resolvers run before ThreadSanitizer is ready and crash.
template <auto Body, class... Args>
void with_widest_vectors(Args... args) {
  if (__builtin_cpu_supports("x86-64-v4")) {
    with_avx512<Body>(args...);
  } else if (__builtin_cpu_supports("x86-64-v3")) {
    with_avx2<Body>(args...);
  } else {
    Body(args...);
  }
}

}  // namespace sparsepush
