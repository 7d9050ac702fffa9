// What the bytes of a data set mean.
#pragma once

namespace sparsepush {

/// Byte b of a channel means the input feature scale * b + offset, rounded once (one fma).
struct ByteScale {
  float scale = 1, offset = 0;
  friend bool operator==(const ByteScale&, const ByteScale&) = default;
};

}  // namespace sparsepush
