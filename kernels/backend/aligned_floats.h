// Memory for loops over vectors of a cache line.
#pragma once
#include <cstddef>
#include <vector>

namespace sparsepush {

inline constexpr int kLineFloats = 16;

/// The floats of a cache line, wherever they begin: one vector, or several where the processor's are shorter.
using FloatLine [[gnu::vector_size(4 * kLineFloats), gnu::aligned(4), gnu::may_alias]] = float;
inline const FloatLine& line_at(const float* first) { return *reinterpret_cast<const FloatLine*>(first); }
inline FloatLine& line_at(float* first) { return *reinterpret_cast<FloatLine*>(first); }

/// Zeros that start on a cache line.
class AlignedFloats {
 public:
  explicit AlignedFloats(std::size_t count) : lines_((count + kLineFloats - 1) / kLineFloats) {}
  float* data() { return lines_.data()->value; }
  const float* data() const { return lines_.data()->value; }

 private:
  struct alignas(4 * kLineFloats) Line {
    float value[kLineFloats] = {};
  };
  std::vector<Line> lines_;
};

}  // namespace sparsepush
