// Memory for loops over vectors of a cache line.
#pragma once
#include <cstddef>
#include <vector>

#include "kernels/backend/cache_line.h"

namespace sparsepush {

inline constexpr int kLineFloats = sizeof(CacheLine) / sizeof(float);

/// `kFloats` floats side by side, wherever they begin.
template <int kFloats>
struct FloatVectorOf {
  using Type [[gnu::vector_size(4 * kFloats), gnu::aligned(4), gnu::may_alias]] = float;
};
template <>
struct FloatVectorOf<1> {
  using Type = float;
};

/// The floats of a cache line: one vector, or several where the processor's are shorter.
using FloatLine = FloatVectorOf<kLineFloats>::Type;
inline const FloatLine& line_at(const float* first) { return *reinterpret_cast<const FloatLine*>(first); }
inline FloatLine& line_at(float* first) { return *reinterpret_cast<FloatLine*>(first); }

/// Zeros that start on a cache line.
class AlignedFloats {
 public:
  explicit AlignedFloats(std::size_t count) : lines_((count + kLineFloats - 1) / kLineFloats) {}
  float* data() { return reinterpret_cast<float*>(lines_.data()); }
  const float* data() const { return reinterpret_cast<const float*>(lines_.data()); }

 private:
  std::vector<CacheLine> lines_;
};

}  // namespace sparsepush
