// Several arrays in one piece of memory.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/backend/cache_line.h"
#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"

namespace sparsepush {

/// Hands out arrays of zeros one after the other, each from a cache line on.
class ScratchArrays {
 public:
  /// `memory` must hold all that is taken, and outlive it.
  explicit ScratchArrays(std::span<CacheLine> memory) : left_(memory) {}

  /// Returns how many lines an array of `count` takes.
  template <class T>
  static constexpr std::int64_t lines(std::int64_t count) {
    return divide_up(count * static_cast<std::int64_t>(sizeof(T)), static_cast<std::int64_t>(sizeof(CacheLine)));
  }

  /// Returns an array [count] of zeros.
  template <class T>
  T* take(std::int64_t count) {
    const auto wanted = static_cast<std::size_t>(lines<T>(count));
    CHECK(wanted <= left_.size(), "lines ", wanted, ", left ", left_.size());
    T* const first = reinterpret_cast<T*>(left_.data());
    std::fill_n(first, count, T());
    left_ = left_.subspan(wanted);
    return first;
  }

 private:
  std::span<CacheLine> left_;
};

}  // namespace sparsepush
